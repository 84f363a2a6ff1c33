/** The errors of Tessera. Messages name the op, what it saw, what it wanted, and the likely mend. */

/** Everything Tessera throws on purpose. */
export class TesseraError extends Error {
  override name = 'TesseraError';
}
/** Shapes, axes or sizes that do not fit. */
export class ShapeError extends TesseraError {
  override name = 'ShapeError';
}
/** A dtype an op does not take, or data that does not fit it. */
export class DTypeError extends TesseraError {
  override name = 'DTypeError';
}
/** A backend that is missing, mixed up, out of memory, lost or broken. */
export class BackendError extends TesseraError {
  override name = 'BackendError';
}
/** A file that cannot be read: truncated, wrong, hostile. */
export class LoadError extends TesseraError {
  override name = 'LoadError';
}
/** A tensor used after dispose(), or a value read where none can be (a meta tensor, inside a compiled function). */
export class ReadError extends TesseraError {
  override name = 'ReadError';
}
/** A derivative that does not exist. */
export class GradientError extends TesseraError {
  override name = 'GradientError';
}
/** An argument that is out of range or of the wrong kind. */
export class ArgumentError extends TesseraError {
  override name = 'ArgumentError';
}

/** For backends that print kernels in a shading language: what such languages share. */
export { type FormulaName, formulas, withCallees } from './shading/formulas';
export { type Language, printApply, type Row } from './shading/print';

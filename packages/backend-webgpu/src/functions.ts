/**
 * Functions that a WGSL shader may call: the formulas that all shading languages share, which are written in it, and numbers that
 * no literal can say. A shader carries the functions it calls, and no others.
 */
import { formulas, withCallees } from '@tessera/tensor/shading';

export const functions = /* @__PURE__ */ (() => ({
  ...formulas,
  infinity: `
var<private> infinityBits: u32 = 0x7f800000u; // a variable: of a constant the compiler would ask that it is finite
fn infinity() -> f32 { return bitcast<f32>(infinityBits); }`,
  nan: `
var<private> nanBits: u32 = 0x7fc00000u;
fn nan() -> f32 { return bitcast<f32>(nanBits); }`,
  negativeZero: `
var<private> negativeZeroBits: u32 = 0x80000000u;
fn negativeZero() -> f32 { return bitcast<f32>(negativeZeroBits); }`,
}))();

export type FunctionName = keyof typeof functions;

/** The functions and all that they call, callees first. */
export const withDependencies = (names: Iterable<FunctionName>): FunctionName[] => withCallees(functions, names);

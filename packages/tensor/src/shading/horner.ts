/** (…(c0·x + c1)·x + …)·x + cn */
export const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(1).reduce((sum, c) => `(${sum} * ${x} + ${float(c)})`, float(coefficients[0] as number));

const float = (c: number): string => (Number.isInteger(c) ? `${c}.0f` : `${c}f`);

import { describe, expect, it } from 'vitest';
import { exprOps } from '../src/ir';
import { type FormulaName, formulas, type Language, printApply, withCallees } from '../src/shading';

const says = (name: string) => () => name;
const language = new Proxy({} as Language<FormulaName>['floats'], {
  get: (_, op) => (`${String(op)}Of` in formulas || String(op) in formulas ? undefined : says(`plain ${String(op)}`)),
});
const same = (a: string) => a;
const spoken: Language<FormulaName> = {
  floats: language,
  integers: { add: (a, b) => `${a} plus ${b}`, div: { call: 'divideWhole' } },
  bools: { and: (a, b) => `${a} and ${b}` },
  casts: {
    float32: { float32: same, int32: { call: 'toInt' }, bool: says('float to bool') },
    int32: { float32: says('int to float'), int32: same, bool: (a) => `${a} is not 0` },
    bool: { float32: says('bool to float'), int32: (a) => `int of ${a}`, bool: same },
  },
  bits: {
    float32: { float32: same, int32: says('bits of float'), bool: same },
    int32: { float32: says('float of bits'), int32: same, bool: same },
    bool: { float32: same, int32: same, bool: same },
  },
};

describe('printApply', () => {
  const print = (fn: keyof typeof exprOps, from: 'float32' | 'int32' | 'bool', to = from) => {
    const used: string[] = [];
    const args = ['a', 'b', 'c', 'd'].slice(0, exprOps[fn][0]);
    const operands = args.map(() => ({ dtype: from }));
    const text = printApply(spoken, { fn, dtype: to, args: operands }, args, (name) => {
      used.push(name);
      return name;
    });
    return [text, ...used];
  };

  it('calls the formula of an operation that has one', () => {
    expect(print('sin', 'float32')).toEqual(['sinOf(a)', 'sinOf']);
    expect(print('erf', 'float32')).toEqual(['erf(a)', 'erf']);
    expect(print('mod', 'float32')).toEqual(['modOf(a, b)', 'modOf']);
    expect(print('sqrt', 'float32')).toEqual(['plain sqrt']);
  });
  it('says what differs on integers', () => {
    expect(print('add', 'int32')).toEqual(['a plus b']);
    expect(print('div', 'int32')).toEqual(['divideWhole(a, b)', 'divideWhole']);
    expect(print('shl', 'int32')).toEqual(['plain shl']);
  });
  it('takes bool as 0 and 1 where nothing else is said', () => {
    expect(print('and', 'bool')).toEqual(['a and b']);
    expect(print('add', 'bool')).toEqual(['(int of a plus int of b) is not 0']);
    expect(print('lt', 'bool', 'bool')).toEqual(['plain lt']);
  });
  it('converts by the types on both sides', () => {
    expect(print('cast', 'float32', 'int32')).toEqual(['toInt(a)', 'toInt']);
    expect(print('bits', 'int32', 'float32')).toEqual(['float of bits']);
  });
});

describe('formulas', () => {
  it('each define the function of their name', () => {
    for (const [name, source] of Object.entries(formulas)) expect(source.trim()).toMatch(new RegExp(`^fn ${name}\\(`));
  });
  it('call nothing but each other, built-ins, and what a backend adds', () => {
    const builtins = 'abs bitcast ceil clamp exp f32 floor i32 max min round select sign sqrt u32 infinity nan'.split(
      ' ',
    );
    for (const source of Object.values(formulas)) {
      const code = source.replace(/\/\/.*/g, '').replace(/vec[24]<u32>|vec2<f32>|array<u32, 8>|<[fiu]32>/g, '');
      for (const [, callee] of code.replace(/\b(if|while|for) \(/g, '').matchAll(/(\w+)\(/g)) {
        expect([...builtins, ...Object.keys(formulas)]).toContain(callee);
      }
    }
  });
  it('stand behind those they call', () => {
    const order = withCallees(formulas, ['tanOf', 'erfinv']);
    for (const [at, name] of order.entries()) {
      const callees = Object.keys(formulas).filter((other) => other !== name && formulas[name].includes(`${other}(`));
      for (const callee of callees)
        expect(order.indexOf(callee as FormulaName), `${callee} of ${name}`).toBeLessThan(at);
    }
    expect(new Set(order).size).toBe(order.length);
    expect(order).not.toContain('powOf');
  });
});

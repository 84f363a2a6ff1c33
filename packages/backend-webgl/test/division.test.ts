/** Quotients by way of floats, computed here as a device does it: each step rounded to float32. */
import { expect, test } from 'vitest';
import { constants, quotient, remainder } from '../src/division';

const f = Math.fround;
const over = (e: number, part: number) => Math.trunc(f(f(e + 0.5) * f(part)));
const behind = (e: number, by: number, part: number) => e - by * over(e, part);
const overFar = (e: number, by: number, part: number) => {
  const q = Math.trunc(f(f(e) * f(part)));
  const rest = e - by * q;
  return q + Number(rest >= by) - Number(rest < 0);
};
const behindFar = (e: number, by: number, part: number) => e - by * overFar(e, by, part);
const device = { over, behind, overFar, behindFar };
/** The printed text as a function of e; plain divisions are the device's own. */
const evaluate = (text: string) => {
  const whole = text.replace(/^\(e \/ (\d+)\)$/, 'Math.floor(e / $1)');
  const make = new Function(...Object.keys(device), `return (e) => ${whole};`);
  return make(...Object.values(device)) as (e: number) => number;
};

test.each([3, 7, 10, 28, 49, 147, 196, 784, 1000, 4608, 65537, 1048575])('positions by %i', (by) => {
  for (const below of [by + 1, 2 ** 21, 2 ** 24, 2 ** 28]) {
    const [q, r] = [evaluate(quotient(constants, 'e', by, below)), evaluate(remainder(constants, 'e', by, below))];
    const most = Math.ceil(below / by);
    const near = [0, 1, 2, 3, most >> 2, most >> 1, most - 2, most - 1, most].map((multiple) => multiple * by);
    for (const e of near.flatMap((place) => [place - 1, place, place + 1])) {
      if (e < 0 || e >= below) continue;
      expect([e, q(e), r(e)]).toEqual([e, Math.floor(e / by), e % by]);
    }
  }
});

test('powers of two are shifts and masks', () => {
  expect([quotient(constants, 'e', 8, 100), remainder(constants, 'e', 8, 100)]).toEqual(['(e >> 3)', '(e & 7)']);
  expect([quotient(constants, 'e', 1, 100), remainder(constants, 'e', 1, 100)]).toEqual(['e', '0']);
});

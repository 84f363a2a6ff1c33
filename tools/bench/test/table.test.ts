import { describe, expect, it } from 'vitest';
import { type Fact, facts, factVerdict } from '../networks/facts.ts';
import { factsToJson, type Machine, type RowResult, share, toJson, verdict } from '../result.ts';
import { type Row, rows } from '../rows.ts';
import { withBestLimits } from '../session.ts';
import { align, factTable, short, table } from '../table.ts';

const machine: Machine = {
  cpu: 'a processor',
  threads: 2,
  node: 'v20',
  backend: 'cpu',
  relaxed: false,
  load: [0, 0],
  peers: { tfjs: '4', torch: '2' },
};
const row: Row = {
  name: 'matmul 1024',
  work: { op: 'matmul', a: [1024, 1024], b: [1024, 1024] },
  unit: 'GFLOP/s',
  limit: 'multiply',
  goals: [
    { of: 'peers', atLeast: 1 },
    { of: 'plain', atLeast: 0.8 },
    { of: 'relaxed', atLeast: 0.65 },
  ],
};
const result: RowResult = {
  row,
  ours: 60,
  peers: { tfjs: 20, torch: 120 },
  limits: { plain: 80 },
  missing: { jax: 'is not here' },
};

describe('verdicts', () => {
  const [peers, plain, relaxed] = row.goals as [Row['goals'][0], Row['goals'][0], Row['goals'][0]];

  it('compare with the fastest peer that is written for JavaScript; PyTorch is no goal', () => {
    expect(share(peers, result, false)).toBe(3);
    expect(verdict(peers, { ...result, peers: { tfjs: 20, ort: 61 } }, false)).toBe('lost');
  });
  it('are open where a peer, the limit or ours was not measured', () => {
    expect(verdict(peers, { ...result, peers: { torch: 120 } }, false)).toBe('not measured');
    expect(verdict(plain, { ...result, limits: {} }, false)).toBe('not measured');
    expect(verdict(plain, { ...result, ours: null }, false)).toBe('not measured');
  });
  it('hold kernels to the limit of their own engine, where a row has a goal for each', () => {
    expect([plain, relaxed].map((goal) => verdict(goal, result, false))).toEqual(['lost', 'not measured']);
    const fused = { ...result, limits: { plain: 60, relaxed: 80 } };
    expect([plain, relaxed].map((goal) => verdict(goal, fused, true))).toEqual(['not measured', 'met']);
    const only = { ...fused, row: { ...row, goals: [plain] } };
    expect(verdict(plain, only, true)).toBe('met');
  });
});

describe('a goal beside PyTorch', () => {
  const goal = { of: 'torch', atLeast: 1 / 1.3 } as const;
  const beside = (ours: number) => ({ ...result, row: { ...row, goals: [goal] }, ours });
  it('is about time, which ours may have more of by a factor', () => {
    expect(verdict(goal, beside(93), false)).toBe('met');
    expect(verdict(goal, beside(92), false)).toBe('lost');
    expect(verdict(goal, { ...beside(93), peers: { tfjs: 1 } }, false)).toBe('not measured');
    expect(table(machine, [beside(100)], {})).toContain('≤ 1.3× PyTorch’s time: met (1.20)');
  });
});

describe('facts', () => {
  const fact: Fact = {
    name: 'step: peak',
    unit: 'MB',
    net: 'resnet18',
    number: 'peak',
    goal: { atMost: 1.2, of: 'torch' },
  };
  const found = { fact, ours: 130, torch: 100, missing: {} };
  it('are less the better, by themselves or beside PyTorch', () => {
    expect(factVerdict(found)).toBe('lost');
    expect(factVerdict({ ...found, ours: 120 })).toBe('met');
    expect(factVerdict({ ...found, torch: null })).toBe('not measured');
    const kernels: Fact = { ...fact, unit: 'kernels', number: 'kernels', goal: { atMost: 60, of: 'unit' } };
    expect([60, 61].map((ours) => factVerdict({ ...found, fact: kernels, ours }))).toEqual(['met', 'lost']);
    expect(factVerdict({ ...found, fact: { ...fact, goal: null } })).toBe(null);
  });
  it('are a table of their own, and stay in it when they are lost', () => {
    expect(factTable([found, { ...found, ours: null, missing: { ours: 'out of memory' } }], {})).toMatchInlineSnapshot(`
      "            unit  ours  torch (ours/it)  goal
      step: peak    MB   130      100 (1.30×)  ≤ 1.2× PyTorch’s: lost
      step: peak    MB     –              100  ≤ 1.2× PyTorch’s: not measured

      Lost, and why:
        step: peak: cause not known yet

      Not measured:
        ours: out of memory [step: peak]"
    `);
    expect(factsToJson([found], { 'step: peak': 'copies' })).toEqual([
      {
        fact: 'step: peak',
        unit: 'MB',
        ours: 130,
        torch: 100,
        goals: [{ goal: '≤ 1.2× PyTorch’s', verdict: 'lost' }],
        cause: 'copies',
      },
    ]);
  });
  it('have a name each', () => expect(new Set(facts.map(({ name }) => name)).size).toBe(facts.length));
});

describe('the file', () => {
  it('has machine and rows with work, unit, ours, peers and limit; a lost row has its cause', () => {
    expect(JSON.parse(JSON.stringify(toJson(machine, [result], { 'matmul 1024': 'spills' })))).toEqual({
      machine: { ...machine },
      rows: [
        {
          work: 'matmul 1024',
          unit: 'GFLOP/s',
          ours: 60,
          peers: { tfjs: 20, torch: 120 },
          limit: 80,
          goals: [
            { goal: '≥ 1× JavaScript peers', verdict: 'met' },
            { goal: '≥ 80 % of plain limit', verdict: 'lost' },
            { goal: '≥ 65 % of relaxed limit', verdict: 'not measured' },
          ],
          cause: 'spills',
          missing: { jax: 'is not here' },
        },
      ],
    });
  });
  it('says null for what failed', () => {
    const failed = toJson(machine, [{ ...result, ours: null, peers: {}, limits: {}, missing: { ours: 'no' } }], {});
    expect(failed.rows[0]).toMatchObject({ ours: null, peers: {}, limit: null, missing: { ours: 'no' } });
  });
});

describe('the table', () => {
  it('prints ratios, the share of the limit, verdicts, causes, and what was not measured', () => {
    expect(table(machine, [result], {})).toMatchInlineSnapshot(`
      "                unit  ours  tfjs (ours/it)  torch (ours/it)  limit  % of it  goals
      matmul 1024  GFLOP/s  60.0    20.0 (3.00×)      120 (0.50×)   80.0     75 %  ≥ 1× JavaScript peers: met (3.00); ≥ 80 % of plain limit: lost (75 %); ≥ 65 % of relaxed limit: not measured

      Lost, and why:
        matmul 1024: cause not known yet

      Not measured:
        jax: is not here [matmul 1024]

      goals: 1 met, 1 lost, 1 not measured"
    `);
  });
  it('keeps a row that failed, with its reason', () => {
    const failed = table(machine, [{ ...result, ours: null, missing: { ours: 'out of memory' } }], {});
    expect(failed).toMatch(/matmul 1024 +GFLOP\/s +failed/);
    expect(failed).toContain('ours: out of memory [matmul 1024]');
  });
  it('writes numbers with three digits', () => {
    expect([0.01234, 1.234, 12.34, 123.4, 1234.5].map(short)).toEqual(['0.0123', '1.23', '12.3', '123', '1235']);
  });
  it('counts signs, not bytes, for its columns', () => {
    expect(
      align([
        ['Aᵀ', 'x'],
        ['abc', 'y'],
      ]),
    ).toEqual(['Aᵀ   x', 'abc  y']);
  });
});

describe('where the best counts', () => {
  it('a limit is the best that was seen in any row', () => {
    const rest = { ours: 1, peers: {}, missing: {} };
    const of: Row = { ...row, work: { op: 'limit', of: 'copy', threads: 2 } };
    const results = [
      { ...rest, row: of, ours: 3, limits: {} },
      { ...rest, row: { ...row, work: { op: 'limit', of: 'copy', threads: 1 } as const }, ours: 9, limits: {} },
      { ...rest, row, limits: { plain: 5, copy: 4 } },
      { ...rest, row, limits: { plain: 7 } },
    ];
    const lifted = withBestLimits(results);
    expect(lifted.map(({ limits }) => limits)).toEqual([{}, {}, { plain: 7, copy: 4 }, { plain: 7 }]);
    expect(lifted.map(({ ours }) => ours)).toEqual([4, 9, 1, 1]); // one thread's stays
  });
});

describe('the rows', () => {
  it('have a name each', () => expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length));
  it('are all to be faster than the JavaScript peers', () =>
    expect(rows.filter(({ goals }) => !goals.some(({ of }) => of === 'peers'))).toEqual([]));
});

// reduce [4,33,65] along 1 in 1 stages · 260 rows of 33
// a stage at a time, 4 lanes a row, 32 rows across memory a workgroup

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read_write> out0: array<f32>;
@group(0) @binding(2) var<storage, read_write> out1: array<f32>;
@group(0) @binding(3) var<storage, read_write> out2: array<f32>;
@group(0) @binding(4) var<storage, read_write> out3: array<i32>;
@group(0) @binding(5) var<storage, read_write> out4: array<i32>;

var<workgroup> lanes_acc0: array<f32, 128>;
var<workgroup> lanes_acc1: array<f32, 128>;
var<workgroup> lanes_acc2: array<f32, 128>;
var<workgroup> lanes_acc3: array<f32, 128>;
var<workgroup> lanes_position3: array<i32, 128>;
var<workgroup> lanes_acc4: array<f32, 128>;
var<workgroup> lanes_position4: array<i32, 128>;

var<private> infinityBits: u32 = 0x7f800000u; // a variable: of a constant the compiler would ask that it is finite
fn infinity() -> f32 { return bitcast<f32>(infinityBits); }

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

fn maxOf(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }

fn minOf(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let part = lane / 32u;
  let live = group * 32u + lane % 32u < 260u;
  let row = min(group * 32u + lane % 32u, 259u);
  var acc0: f32 = 0.0f;
  var acc1: f32 = -infinity();
  var acc2: f32 = infinity();
  var acc3: f32 = -infinity();
  var position3 = -1i;
  var acc4: f32 = infinity();
  var position4 = -1i;
  {
    for (var i = part; i < 33u; i += 4u) {
      let c_0 = i32(row / 65u);
      let c_1 = i32(i);
      let c_2 = i32(row % 65u);
      let x_3 = in0[c_0 * 2145i + c_1 * 65i + c_2];
      acc0 = acc0 + x_3;
      acc1 = maxOf(acc1, x_3);
      acc2 = minOf(acc2, x_3);
      let v_4 = x_3;
      if (position3 < 0i || ((v_4 > acc3) | (isNan(v_4) & !isNan(acc3)))) { acc3 = v_4; position3 = i32(i); }
      let v_5 = x_3;
      if (position4 < 0i || ((v_5 < acc4) | (isNan(v_5) & !isNan(acc4)))) { acc4 = v_5; position4 = i32(i); }
    }
  }
  lanes_acc0[lane] = acc0;
  lanes_acc1[lane] = acc1;
  lanes_acc2[lane] = acc2;
  lanes_acc3[lane] = acc3;
  lanes_position3[lane] = position3;
  lanes_acc4[lane] = acc4;
  lanes_position4[lane] = position4;
  workgroupBarrier();
  for (var half = 2u; half > 0u; half /= 2u) {
    if (part < half) {
      acc0 = acc0 + lanes_acc0[lane + half * 32u];
      acc1 = maxOf(acc1, lanes_acc1[lane + half * 32u]);
      acc2 = minOf(acc2, lanes_acc2[lane + half * 32u]);
      let v_6 = lanes_acc3[lane + half * 32u];
      let v_7 = lanes_position3[lane + half * 32u];
      if (v_7 >= 0i && (position3 < 0i || ((v_6 > acc3) | (isNan(v_6) & !isNan(acc3))) || (v_7 < position3 && !((acc3 > v_6) | (isNan(acc3) & !isNan(v_6)))))) { acc3 = v_6; position3 = v_7; }
      let v_8 = lanes_acc4[lane + half * 32u];
      let v_9 = lanes_position4[lane + half * 32u];
      if (v_9 >= 0i && (position4 < 0i || ((v_8 < acc4) | (isNan(v_8) & !isNan(acc4))) || (v_9 < position4 && !((acc4 < v_8) | (isNan(acc4) & !isNan(v_8)))))) { acc4 = v_8; position4 = v_9; }
      lanes_acc0[lane] = acc0;
      lanes_acc1[lane] = acc1;
      lanes_acc2[lane] = acc2;
      lanes_acc3[lane] = acc3;
      lanes_position3[lane] = position3;
      lanes_acc4[lane] = acc4;
      lanes_position4[lane] = position4;
    }
    workgroupBarrier();
  }
  acc0 = lanes_acc0[lane % 32u];
  acc1 = lanes_acc1[lane % 32u];
  acc2 = lanes_acc2[lane % 32u];
  acc3 = lanes_acc3[lane % 32u];
  position3 = lanes_position3[lane % 32u];
  acc4 = lanes_acc4[lane % 32u];
  position4 = lanes_position4[lane % 32u];
  if (live & (part == 0u)) {
    let v_10 = max(position3, 0i);
    let v_11 = max(position4, 0i);
    let c_12 = i32(row / 65u);
    let c_13 = i32(row % 65u);
    out0[c_12 * 65i + c_13] = acc0;
    out1[c_12 * 65i + c_13] = acc1;
    out2[c_12 * 65i + c_13] = acc2;
    out3[c_12 * 65i + c_13] = v_10;
    out4[c_12 * 65i + c_13] = v_11;
  }
}

// reduce [4,3,99] along 0,2 in 2 stages · 3 rows of 396
// stage 1 in 2 chunks of 256, 64 lanes a row, 1 rows a workgroup

enable subgroups;

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in3: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> out1: array<f32>;
@group(0) @binding(4) var<storage, read_write> out2: array<f32>;
@group(0) @binding(5) var<storage, read_write> out3: array<f32>;
@group(0) @binding(6) var<storage, read_write> out4: array<f32>;
@group(0) @binding(7) var<storage, read_write> scratch: array<u32>;
@group(1) @binding(0) var<uniform> uniforms: array<vec4<u32>, 1>;

var<workgroup> lanes_acc0: array<f32, 2>;
var<workgroup> lanes_acc1: array<f32, 2>;
var<workgroup> lanes_count0: array<f32, 2>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let chunk = group % 2u;
  let part = lane;
  let row = group / 2u;
  var acc0 = 0.0f;
  var acc1 = 0.0f;
  var count0 = 0.0f;
  {
    for (var i = chunk * 256u + part; i < min(396u, (chunk + 1u) * 256u); i += 64u) {
      let c_0 = i32(i / 99u);
      let c_1 = i32(row);
      let c_2 = i32(i % 99u);
      let x_3 = in0[c_0 * 297i + c_1 * 99i + c_2];
      let v_4 = x_3 / max(1.0f, 1.0f) - acc0 / max(count0, 1.0f);
      acc1 += 0.0f + v_4 * v_4 * (count0 * 1.0f / max(count0 + 1.0f, 1.0f));
      acc0 += x_3;
      count0 += 1.0f;
    }
  }
  for (var bit = 1u; bit < 32u; bit *= 2u) {
    let v_5 = subgroupShuffleXor(acc0, bit);
    let v_6 = subgroupShuffleXor(acc1, bit);
    let v_7 = subgroupShuffleXor(count0, bit);
    let v_8 = v_5 / max(v_7, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_6 + v_8 * v_8 * (count0 * v_7 / max(count0 + v_7, 1.0f));
    acc0 += v_5;
    count0 += v_7;
  }
  if (lane % 32u == 0u) {
    lanes_acc0[lane / 32u] = acc0;
    lanes_acc1[lane / 32u] = acc1;
    lanes_count0[lane / 32u] = count0;
  }
  workgroupBarrier();
  let first_acc0 = 0u + lane % 2u;
  acc0 = lanes_acc0[first_acc0];
  acc1 = lanes_acc1[first_acc0];
  count0 = lanes_count0[first_acc0];
  for (var bit = 1u; bit < 2u; bit *= 2u) {
    let v_9 = subgroupShuffleXor(acc0, bit);
    let v_10 = subgroupShuffleXor(acc1, bit);
    let v_11 = subgroupShuffleXor(count0, bit);
    let v_12 = v_9 / max(v_11, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_10 + v_12 * v_12 * (count0 * v_11 / max(count0 + v_11, 1.0f));
    acc0 += v_9;
    count0 += v_11;
  }
  if (part == 0u) {
    scratch[(0u * 3u + row) * 2u + chunk] = bitcast<u32>(acc0);
    scratch[(1u * 3u + row) * 2u + chunk] = bitcast<u32>(acc1);
    scratch[(2u * 3u + row) * 2u + chunk] = bitcast<u32>(count0);
  }
}

// reduce [4,3,99] along 0,2 in 2 stages · 3 rows of 396
// stores, 64 lanes a row, 1 rows a workgroup

enable subgroups;

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in3: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> out1: array<f32>;
@group(0) @binding(4) var<storage, read_write> out2: array<f32>;
@group(0) @binding(5) var<storage, read_write> out3: array<f32>;
@group(0) @binding(6) var<storage, read_write> out4: array<f32>;
@group(0) @binding(7) var<storage, read_write> scratch: array<u32>;
@group(1) @binding(0) var<uniform> uniforms: array<vec4<u32>, 1>;

var<workgroup> lanes_acc0: array<f32, 2>;
var<workgroup> lanes_acc1: array<f32, 2>;
var<workgroup> lanes_count0: array<f32, 2>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let chunk = group % 2u;
  let part = lane;
  let row = group / 2u;
  var acc0 = 0.0f;
  var acc1 = 0.0f;
  var count0 = 0.0f;
  for (var k = part; k < 2u; k += 64u) {
    let v_0 = bitcast<f32>(scratch[(0u * 3u + row) * 2u + k]);
    let v_1 = bitcast<f32>(scratch[(1u * 3u + row) * 2u + k]);
    let v_2 = bitcast<f32>(scratch[(2u * 3u + row) * 2u + k]);
    let v_3 = v_0 / max(v_2, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_1 + v_3 * v_3 * (count0 * v_2 / max(count0 + v_2, 1.0f));
    acc0 += v_0;
    count0 += v_2;
  }
  for (var bit = 1u; bit < 32u; bit *= 2u) {
    let v_4 = subgroupShuffleXor(acc0, bit);
    let v_5 = subgroupShuffleXor(acc1, bit);
    let v_6 = subgroupShuffleXor(count0, bit);
    let v_7 = v_4 / max(v_6, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_5 + v_7 * v_7 * (count0 * v_6 / max(count0 + v_6, 1.0f));
    acc0 += v_4;
    count0 += v_6;
  }
  if (lane % 32u == 0u) {
    lanes_acc0[lane / 32u] = acc0;
    lanes_acc1[lane / 32u] = acc1;
    lanes_count0[lane / 32u] = count0;
  }
  workgroupBarrier();
  let first_acc0 = 0u + lane % 2u;
  acc0 = lanes_acc0[first_acc0];
  acc1 = lanes_acc1[first_acc0];
  count0 = lanes_count0[first_acc0];
  for (var bit = 1u; bit < 2u; bit *= 2u) {
    let v_8 = subgroupShuffleXor(acc0, bit);
    let v_9 = subgroupShuffleXor(acc1, bit);
    let v_10 = subgroupShuffleXor(count0, bit);
    let v_11 = v_8 / max(v_10, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_9 + v_11 * v_11 * (count0 * v_10 / max(count0 + v_10, 1.0f));
    acc0 += v_8;
    count0 += v_10;
  }
  let v_12 = acc0 * 0.0025252525229007006f;
  let v_13 = acc1 * 0.0025252525229007006f;
  let v_14 = bitcast<f32>(uniforms[0][0]);
  let v_15 = v_13 + v_14;
  let v_16 = sqrt(v_15);
  let v_17 = 1.0f / v_16;
  let c_18 = i32(row);
  let x_19 = out4[c_18];
  let x_20 = in3[c_18];
  {
    for (var i = chunk * 256u + part; i < min(396u, (chunk + 1u) * 256u); i += 64u) {
      let c_21 = i32(i / 99u);
      let c_22 = i32(row);
      let c_23 = i32(i % 99u);
      let x_24 = in0[c_21 * 297i + c_22 * 99i + c_23];
      let v_25 = x_24 - v_12;
      let v_26 = v_25 * v_17;
      let v_27 = v_26 * x_19;
      let v_28 = v_27 + x_20;
      out0[c_21 * 297i + c_22 * 99i + c_23] = v_28;
    }
  }
}

// reduce [4,3,99] along 0,2 in 2 stages · 3 rows of 396
// stores of rows, 64 lanes a row, 1 rows a workgroup

enable subgroups;

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in3: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> out1: array<f32>;
@group(0) @binding(4) var<storage, read_write> out2: array<f32>;
@group(0) @binding(5) var<storage, read_write> out3: array<f32>;
@group(0) @binding(6) var<storage, read_write> out4: array<f32>;
@group(0) @binding(7) var<storage, read_write> scratch: array<u32>;
@group(1) @binding(0) var<uniform> uniforms: array<vec4<u32>, 1>;

var<workgroup> lanes_acc0: array<f32, 2>;
var<workgroup> lanes_acc1: array<f32, 2>;
var<workgroup> lanes_count0: array<f32, 2>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let part = lane;
  let row = group;
  var acc0 = 0.0f;
  var acc1 = 0.0f;
  var count0 = 0.0f;
  for (var k = part; k < 2u; k += 64u) {
    let v_0 = bitcast<f32>(scratch[(0u * 3u + row) * 2u + k]);
    let v_1 = bitcast<f32>(scratch[(1u * 3u + row) * 2u + k]);
    let v_2 = bitcast<f32>(scratch[(2u * 3u + row) * 2u + k]);
    let v_3 = v_0 / max(v_2, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_1 + v_3 * v_3 * (count0 * v_2 / max(count0 + v_2, 1.0f));
    acc0 += v_0;
    count0 += v_2;
  }
  for (var bit = 1u; bit < 32u; bit *= 2u) {
    let v_4 = subgroupShuffleXor(acc0, bit);
    let v_5 = subgroupShuffleXor(acc1, bit);
    let v_6 = subgroupShuffleXor(count0, bit);
    let v_7 = v_4 / max(v_6, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_5 + v_7 * v_7 * (count0 * v_6 / max(count0 + v_6, 1.0f));
    acc0 += v_4;
    count0 += v_6;
  }
  if (lane % 32u == 0u) {
    lanes_acc0[lane / 32u] = acc0;
    lanes_acc1[lane / 32u] = acc1;
    lanes_count0[lane / 32u] = count0;
  }
  workgroupBarrier();
  let first_acc0 = 0u + lane % 2u;
  acc0 = lanes_acc0[first_acc0];
  acc1 = lanes_acc1[first_acc0];
  count0 = lanes_count0[first_acc0];
  for (var bit = 1u; bit < 2u; bit *= 2u) {
    let v_8 = subgroupShuffleXor(acc0, bit);
    let v_9 = subgroupShuffleXor(acc1, bit);
    let v_10 = subgroupShuffleXor(count0, bit);
    let v_11 = v_8 / max(v_10, 1.0f) - acc0 / max(count0, 1.0f);
    acc1 += v_9 + v_11 * v_11 * (count0 * v_10 / max(count0 + v_10, 1.0f));
    acc0 += v_8;
    count0 += v_10;
  }
  storageBarrier();
  if (part == 0u) {
    let v_12 = acc0 * 0.0025252525229007006f;
    let v_13 = acc1 * 0.0025252525229007006f;
    let v_14 = bitcast<f32>(uniforms[0][0]);
    let v_15 = v_13 + v_14;
    let v_16 = sqrt(v_15);
    let v_17 = 1.0f / v_16;
    let c_18 = i32(row);
    let x_19 = out3[c_18];
    let v_20 = x_19 * 0.75f;
    let v_21 = v_12 * 0.25f;
    let v_22 = v_20 + v_21;
    let x_23 = out4[c_18];
    let x_24 = out4[c_18];
    let v_25 = v_12 * x_24;
    let v_26 = x_23 - v_25;
    out1[c_18] = v_12;
    out2[c_18] = v_17;
    out3[c_18] = v_22;
    out4[c_18] = v_26;
  }
}

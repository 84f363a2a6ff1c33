// conv forward [2,32,10,10] ∗ [32,1,3,3] stride 1,1 dilation 1,1 padding 1,1 groups 32
// direct: a thread 2 results below each other, 128 a workgroup

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 128u + lane;
  let c_1 = i32(i_0 / 1600u);
  let c_2 = i32(i_0 / 50u % 32u);
  let c_3 = i32(i_0 / 10u % 5u);
  let c_4 = i32(i_0 % 10u);
  let first_5 = c_3 * 2i;
  var sum0 = f32(0);
  var sum1 = f32(0);
  for (var t = 0u; t < 3u; t++) {
    let r_6 = i32(t);
    let at_7 = c_4 * 1i + r_6 * 1i - 1i;
    let has_8 = u32(at_7) < 10u;
    let x_9 = in1[c_2 * 9i + r_6];
    let at_10 = first_5 + -1i;
    let x_11 = in0[c_1 * 3200i + c_2 * 100i + at_10 * 10i + at_7];
    let x_12 = select(f32(0), x_11, has_8 & (u32(at_10) < 10u));
    sum0 += x_12 * x_9;
    let x_13 = in0[c_1 * 3200i + c_2 * 100i + first_5 * 10i + at_7];
    let x_14 = select(f32(0), x_13, has_8);
    sum1 += x_14 * x_9;
    let x_15 = in1[c_2 * 9i + 1i * 3i + r_6];
    sum0 += x_14 * x_15;
    let at_16 = first_5 + 1i;
    let x_17 = in0[c_1 * 3200i + c_2 * 100i + at_16 * 10i + at_7];
    let x_18 = select(f32(0), x_17, has_8);
    sum1 += x_18 * x_15;
    let x_19 = in1[c_2 * 9i + 2i * 3i + r_6];
    sum0 += x_18 * x_19;
    let at_20 = first_5 + 2i;
    let x_21 = in0[c_1 * 3200i + c_2 * 100i + at_20 * 10i + at_7];
    let x_22 = select(f32(0), x_21, has_8 & (u32(at_20) < 10u));
    sum1 += x_22 * x_19;
  }
  out0[c_1 * 3200i + c_2 * 100i + first_5 * 10i + c_4] = sum0;
  let y_23 = first_5 + 1i;
  out0[c_1 * 3200i + c_2 * 100i + y_23 * 10i + c_4] = sum1;
}

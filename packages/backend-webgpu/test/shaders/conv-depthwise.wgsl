// conv forward [2,32,10,10] ∗ [32,1,3,3] stride 1,1 dilation 1,1 padding 1,1 groups 32
// direct: a thread an element of the result, 128 a workgroup

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 128u + lane;
  let c_1 = i32(i_0 / 3200u);
  let c_2 = i32(i_0 / 100u % 32u);
  let c_3 = i32(i_0 / 10u % 10u);
  let c_4 = i32(i_0 % 10u);
  var sum = f32(0);
  for (var t = 0u; t < 9u; t++) {
    let r_5 = i32(t / 3u);
    let r_6 = i32(t % 3u);
    let at_7 = c_3 * 1i + r_5 * 1i - 1i;
    let at_8 = c_4 * 1i + r_6 * 1i - 1i;
    let x_9 = in0[c_1 * 3200i + c_2 * 100i + at_7 * 10i + at_8];
    let x_10 = in1[c_2 * 9i + r_5 * 3i + r_6];
    sum += select(f32(0), x_9, (u32(at_7) < 10u) & (u32(at_8) < 10u)) * x_10;
  }
  out0[i_0] = sum;
}

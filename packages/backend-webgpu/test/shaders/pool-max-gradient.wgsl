// pool max backward [5,15,16] windows 3,3 stride 2,2 dilation 1,1 padding 1,1
// a thread 4 of the result, 64 a workgroup

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<i32>;
@group(0) @binding(2) var<storage, read_write> out0: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 64u + lane;
  if (i_0 >= 300u) { return; }
  let c_1 = i32(i_0 / 60u);
  let c_2 = i32(i_0 / 4u % 15u);
  let c_3 = i32(i_0 % 4u) * 4i;
  var value0: f32 = 0.0f;
  var value1: f32 = 0.0f;
  var value2: f32 = 0.0f;
  var value3: f32 = 0.0f;
  for (var u0 = max(c_2 + 0i, 0i) / 2i; u0 <= min((c_2 + 1i) / 2i, 7i); u0++) {
    let first_4 = c_3 / 2i;
    let at_5 = first_4 + 0i;
    let x_6 = in0[c_1 * 64i + u0 * 8i + at_5];
    let v_7 = x_6;
    let x_8 = in1[c_1 * 64i + u0 * 8i + at_5];
    let v_9 = x_8;
    value0 += select(0.0f, v_7, v_9 == (c_2) * 16i + c_3);
    value1 += select(0.0f, v_7, v_9 == (c_2) * 16i + c_3 + 1i);
    let at_10 = first_4 + 1i;
    let x_11 = in0[c_1 * 64i + u0 * 8i + at_10];
    let v_12 = x_11;
    let x_13 = in1[c_1 * 64i + u0 * 8i + at_10];
    let v_14 = x_13;
    value1 += select(0.0f, v_12, v_14 == (c_2) * 16i + c_3 + 1i);
    value2 += select(0.0f, v_12, v_14 == (c_2) * 16i + c_3 + 2i);
    value3 += select(0.0f, v_12, v_14 == (c_2) * 16i + c_3 + 3i);
    let at_15 = first_4 + 2i;
    let has_16 = u32(at_15) < 8u;
    let x_17 = in0[c_1 * 64i + u0 * 8i + at_15];
    let v_18 = x_17;
    let x_19 = in1[c_1 * 64i + u0 * 8i + at_15];
    let v_20 = x_19;
    value3 += select(0.0f, v_18, has_16 & (v_20 == (c_2) * 16i + c_3 + 3i));
  }
  let p_21 = c_3 + 1i;
  let p_22 = c_3 + 2i;
  let p_23 = c_3 + 3i;
  out0[(c_1 * 240i + c_2 * 16i + c_3) >> 2u] = vec4<f32>(value0, value1, value2, value3);
}

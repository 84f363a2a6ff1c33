// pool max forward [5,15,16] windows 3,3 stride 2,2 dilation 1,1 padding 1,1
// a thread 4 of the result, 64 a workgroup

@group(0) @binding(0) var<storage, read> in0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out0: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out1: array<vec4<i32>>;

var<private> infinityBits: u32 = 0x7f800000u; // a variable: of a constant the compiler would ask that it is finite
fn infinity() -> f32 { return bitcast<f32>(infinityBits); }

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 64u + lane;
  if (i_0 >= 80u) { return; }
  let c_1 = i32(i_0 / 16u);
  let c_2 = i32(i_0 / 2u % 8u);
  let c_3 = i32(i_0 % 2u) * 4i;
  var value0: f32 = -infinity();
  var place0 = -1i;
  var value1: f32 = -infinity();
  var place1 = -1i;
  var value2: f32 = -infinity();
  var place2 = -1i;
  var value3: f32 = -infinity();
  var place3 = -1i;
  for (var r0 = 0i; r0 < 3i; r0++) {
    let at_4 = c_2 * 2i + r0 * 1i - 1i;
    let first_5 = c_3 * 2i;
    let row_6 = (at_4) * 16i + first_5;
    let at_7 = first_5 + -4i;
    let has_8 = (u32(at_4) < 15u) & (u32(at_7) < 16u);
    let p_9 = at_7 + 1i;
    let p_10 = at_7 + 2i;
    let p_11 = at_7 + 3i;
    let q_12 = in0[(c_1 * 240i + at_4 * 16i + at_7) >> 2u];
    let four_13 = q_12;
    let x_14 = four_13.w;
    if (has_8 & ((place0 < 0i) | ((x_14 > value0) | (isNan(x_14) & !isNan(value0))))) { value0 = x_14; place0 = row_6 + -1i; }
    let at_15 = first_5 + 0i;
    let has_16 = u32(at_4) < 15u;
    let p_17 = at_15 + 1i;
    let p_18 = at_15 + 2i;
    let p_19 = at_15 + 3i;
    let q_20 = in0[(c_1 * 240i + at_4 * 16i + at_15) >> 2u];
    let four_21 = q_20;
    let x_22 = four_21.x;
    if (has_16 & ((place0 < 0i) | ((x_22 > value0) | (isNan(x_22) & !isNan(value0))))) { value0 = x_22; place0 = row_6 + 0i; }
    let x_23 = four_21.y;
    if (has_16 & ((place0 < 0i) | ((x_23 > value0) | (isNan(x_23) & !isNan(value0))))) { value0 = x_23; place0 = row_6 + 1i; }
    if (has_16 & ((place1 < 0i) | ((x_23 > value1) | (isNan(x_23) & !isNan(value1))))) { value1 = x_23; place1 = row_6 + 1i; }
    let x_24 = four_21.z;
    if (has_16 & ((place1 < 0i) | ((x_24 > value1) | (isNan(x_24) & !isNan(value1))))) { value1 = x_24; place1 = row_6 + 2i; }
    let x_25 = four_21.w;
    if (has_16 & ((place1 < 0i) | ((x_25 > value1) | (isNan(x_25) & !isNan(value1))))) { value1 = x_25; place1 = row_6 + 3i; }
    if (has_16 & ((place2 < 0i) | ((x_25 > value2) | (isNan(x_25) & !isNan(value2))))) { value2 = x_25; place2 = row_6 + 3i; }
    let at_26 = first_5 + 4i;
    let p_27 = at_26 + 1i;
    let p_28 = at_26 + 2i;
    let p_29 = at_26 + 3i;
    let q_30 = in0[(c_1 * 240i + at_4 * 16i + at_26) >> 2u];
    let four_31 = q_30;
    let x_32 = four_31.x;
    if (has_16 & ((place2 < 0i) | ((x_32 > value2) | (isNan(x_32) & !isNan(value2))))) { value2 = x_32; place2 = row_6 + 4i; }
    let x_33 = four_31.y;
    if (has_16 & ((place2 < 0i) | ((x_33 > value2) | (isNan(x_33) & !isNan(value2))))) { value2 = x_33; place2 = row_6 + 5i; }
    if (has_16 & ((place3 < 0i) | ((x_33 > value3) | (isNan(x_33) & !isNan(value3))))) { value3 = x_33; place3 = row_6 + 5i; }
    let x_34 = four_31.z;
    if (has_16 & ((place3 < 0i) | ((x_34 > value3) | (isNan(x_34) & !isNan(value3))))) { value3 = x_34; place3 = row_6 + 6i; }
    let x_35 = four_31.w;
    if (has_16 & ((place3 < 0i) | ((x_35 > value3) | (isNan(x_35) & !isNan(value3))))) { value3 = x_35; place3 = row_6 + 7i; }
  }
  let p_36 = c_3 + 1i;
  let p_37 = c_3 + 2i;
  let p_38 = c_3 + 3i;
  out0[(c_1 * 64i + c_2 * 8i + c_3) >> 2u] = vec4<f32>(value0, value1, value2, value3);
  out1[(c_1 * 64i + c_2 * 8i + c_3) >> 2u] = vec4<i32>(place0, place1, place2, place3);
}

// reduce [7,1000] along 1 in 2 stages · 7 rows of 1000
// kept in registers, 128 lanes a row, 1 rows a workgroup, by vectors

enable subgroups;

@group(0) @binding(0) var<storage, read> in0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out0: array<vec4<f32>>;

var<workgroup> lanes_acc0: array<f32, 4>;
var<workgroup> lanes_acc1: array<f32, 4>;

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

fn expOf(x: f32) -> f32 { return select(exp(x), x, isNan(x)); }

var<private> infinityBits: u32 = 0x7f800000u; // a variable: of a constant the compiler would ask that it is finite
fn infinity() -> f32 { return bitcast<f32>(infinityBits); }

fn maxOf(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let part = lane;
  let row = group;
  var acc0: f32 = -infinity();
  var kept2_0: vec4<f32>;
  var kept2_1: vec4<f32>;
  let i_0 = part * 4u;
  {
    let c_1 = i32(row);
    let c_2 = i32(i_0);
    let p_3 = c_2 + 1i;
    let p_4 = c_2 + 2i;
    let p_5 = c_2 + 3i;
    let q_6 = in0[(c_1 * 1000i + c_2) >> 2u];
    let x_7 = q_6.x;
    let x_8 = q_6.y;
    let x_9 = q_6.z;
    let x_10 = q_6.w;
    acc0 = maxOf(acc0, maxOf((maxOf((x_7), (x_8))), (maxOf((x_9), (x_10)))));
    kept2_0 = vec4<f32>(x_7, x_8, x_9, x_10);
  }
  let i_11 = part * 4u + 512u;
  if (i_11 < 1000u) {
    let c_12 = i32(row);
    let c_13 = i32(i_11);
    let p_14 = c_13 + 1i;
    let p_15 = c_13 + 2i;
    let p_16 = c_13 + 3i;
    let q_17 = in0[(c_12 * 1000i + c_13) >> 2u];
    let x_18 = q_17.x;
    let x_19 = q_17.y;
    let x_20 = q_17.z;
    let x_21 = q_17.w;
    acc0 = maxOf(acc0, maxOf((maxOf((x_18), (x_19))), (maxOf((x_20), (x_21)))));
    kept2_1 = vec4<f32>(x_18, x_19, x_20, x_21);
  }
  for (var bit = 1u; bit < 32u; bit *= 2u) {
    acc0 = maxOf(acc0, subgroupShuffleXor(acc0, bit));
  }
  if (lane % 32u == 0u) {
    lanes_acc0[lane / 32u] = acc0;
  }
  workgroupBarrier();
  let first_acc0 = 0u + lane % 4u;
  acc0 = lanes_acc0[first_acc0];
  for (var bit = 1u; bit < 4u; bit *= 2u) {
    acc0 = maxOf(acc0, subgroupShuffleXor(acc0, bit));
  }
  var acc1: f32 = 0.0f;
  let i_22 = part * 4u;
  {
    let c_23 = i32(row);
    let c_24 = i32(i_22);
    let p_25 = c_24 + 1i;
    let p_26 = c_24 + 2i;
    let p_27 = c_24 + 3i;
    let v_28 = kept2_0.x;
    let v_29 = v_28 - acc0;
    let v_30 = expOf(v_29);
    let v_31 = kept2_0.y;
    let v_32 = v_31 - acc0;
    let v_33 = expOf(v_32);
    let v_34 = kept2_0.z;
    let v_35 = v_34 - acc0;
    let v_36 = expOf(v_35);
    let v_37 = kept2_0.w;
    let v_38 = v_37 - acc0;
    let v_39 = expOf(v_38);
    acc1 = acc1 + ((v_30) + (v_33)) + ((v_36) + (v_39));
  }
  let i_40 = part * 4u + 512u;
  if (i_40 < 1000u) {
    let c_41 = i32(row);
    let c_42 = i32(i_40);
    let p_43 = c_42 + 1i;
    let p_44 = c_42 + 2i;
    let p_45 = c_42 + 3i;
    let v_46 = kept2_1.x;
    let v_47 = v_46 - acc0;
    let v_48 = expOf(v_47);
    let v_49 = kept2_1.y;
    let v_50 = v_49 - acc0;
    let v_51 = expOf(v_50);
    let v_52 = kept2_1.z;
    let v_53 = v_52 - acc0;
    let v_54 = expOf(v_53);
    let v_55 = kept2_1.w;
    let v_56 = v_55 - acc0;
    let v_57 = expOf(v_56);
    acc1 = acc1 + ((v_48) + (v_51)) + ((v_54) + (v_57));
  }
  for (var bit = 1u; bit < 32u; bit *= 2u) {
    acc1 = acc1 + subgroupShuffleXor(acc1, bit);
  }
  if (lane % 32u == 0u) {
    lanes_acc1[lane / 32u] = acc1;
  }
  workgroupBarrier();
  let first_acc1 = 0u + lane % 4u;
  acc1 = lanes_acc1[first_acc1];
  for (var bit = 1u; bit < 4u; bit *= 2u) {
    acc1 = acc1 + subgroupShuffleXor(acc1, bit);
  }
  let i_58 = part * 4u;
  {
    let c_59 = i32(row);
    let c_60 = i32(i_58);
    let p_61 = c_60 + 1i;
    let p_62 = c_60 + 2i;
    let p_63 = c_60 + 3i;
    let v_64 = kept2_0.x;
    let v_65 = v_64 - acc0;
    let v_66 = expOf(v_65);
    let v_67 = v_66 / acc1;
    let v_68 = kept2_0.y;
    let v_69 = v_68 - acc0;
    let v_70 = expOf(v_69);
    let v_71 = v_70 / acc1;
    let v_72 = kept2_0.z;
    let v_73 = v_72 - acc0;
    let v_74 = expOf(v_73);
    let v_75 = v_74 / acc1;
    let v_76 = kept2_0.w;
    let v_77 = v_76 - acc0;
    let v_78 = expOf(v_77);
    let v_79 = v_78 / acc1;
    out0[(c_59 * 1000i + c_60) >> 2u] = vec4<f32>(v_67, v_71, v_75, v_79);
  }
  let i_80 = part * 4u + 512u;
  if (i_80 < 1000u) {
    let c_81 = i32(row);
    let c_82 = i32(i_80);
    let p_83 = c_82 + 1i;
    let p_84 = c_82 + 2i;
    let p_85 = c_82 + 3i;
    let v_86 = kept2_1.x;
    let v_87 = v_86 - acc0;
    let v_88 = expOf(v_87);
    let v_89 = v_88 / acc1;
    let v_90 = kept2_1.y;
    let v_91 = v_90 - acc0;
    let v_92 = expOf(v_91);
    let v_93 = v_92 / acc1;
    let v_94 = kept2_1.z;
    let v_95 = v_94 - acc0;
    let v_96 = expOf(v_95);
    let v_97 = v_96 / acc1;
    let v_98 = kept2_1.w;
    let v_99 = v_98 - acc0;
    let v_100 = expOf(v_99);
    let v_101 = v_100 / acc1;
    out0[(c_81 * 1000i + c_82) >> 2u] = vec4<f32>(v_89, v_93, v_97, v_101);
  }
}

// conv inputGrad [1,3,32,32] ∗ [16,3,7,7] stride 2,2 dilation 1,1 padding 3,3 groups 1
// weights laid out as [group][place][channel][four of m], a thread four

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 64u + lane;
  if (i_0 >= 784u) { return; }
  let tap_1 = i_0 % 49u;
  let rest_2 = i_0 / 49u;
  let inner_3 = rest_2 % 1u;
  let outer_4 = rest_2 / 1u % 16u;
  let r_5 = i32(tap_1 / 7u);
  let r_6 = i32(tap_1 % 7u);
  let m_7 = inner_3 * 4u + 0u;
  let o_8 = i32(outer_4);
  let c_9 = i32(m_7);
  let x_10 = in1[o_8 * 147i + c_9 * 49i + r_5 * 7i + r_6];
  let m_11 = inner_3 * 4u + 1u;
  let c_12 = i32(m_11);
  let x_13 = in1[o_8 * 147i + c_12 * 49i + r_5 * 7i + r_6];
  let m_14 = inner_3 * 4u + 2u;
  let c_15 = i32(m_14);
  let x_16 = in1[o_8 * 147i + c_15 * 49i + r_5 * 7i + r_6];
  let m_17 = inner_3 * 4u + 3u;
  let c_18 = i32(m_17);
  let x_19 = in1[o_8 * 147i + c_18 * 49i + r_5 * 7i + r_6];
  scratch[((0u * 49u + tap_1) * 16u + outer_4) * 1u + inner_3] = bitcast<vec4<u32>>(vec4<f32>(select(f32(0), x_10, m_7 < 3u), select(f32(0), x_13, m_11 < 3u), select(f32(0), x_16, m_14 < 3u), select(f32(0), x_19, m_17 < 3u)));
}

// conv inputGrad [1,3,32,32] ∗ [16,3,7,7] stride 2,2 dilation 1,1 padding 3,3 groups 1
// 4 × (3 × 16 · 16) · (16 · 16 × 256), tile 32 × 32 × 16, 4 × 4 a thread, 64 threads

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<vec4<u32>>;

var<workgroup> slabA: array<vec4<f32>, 128>; // [k][32/4]
var<workgroup> slabB: array<vec4<f32>, 128>; // [k][32/4]
fn finish(batch: u32, row: u32, column: u32, sum: vec4<f32>) {
  if (row >= 3u) { return; }
  for (var e = 0u; e < 4u; e++) {
    let place = column + e * 8u;
    let p_88 = place % 256u;
    let u_89 = i32(place / 256u);
    let q_90 = i32(p_88 / 16u);
    let q_91 = i32(p_88 % 16u);
    let class_92 = batch % 4u;
    let rho_93 = i32(class_92 / 2u);
    let r_94 = (rho_93 + 3i) % 2i;
    let count_95 = max(0i, (7i - r_94 + 1i) / 2i);
    let rho_96 = i32(class_92 % 2u);
    let r_97 = (rho_96 + 3i) % 2i;
    let count_98 = max(0i, (7i - r_97 + 1i) / 2i);
    let q_99 = q_90 * 2i + rho_93;
    let q_100 = q_91 * 2i + rho_96;
    let g_101 = batch / 4u;
    let v_102 = sum[e];
    let c_103 = i32(row);
    out0[c_103 * 1024i + q_99 * 32i + q_100] = v_102;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let batch = group / 8u;
  let firstRow = 0u;
  let firstColumn = group % 8u / 1u * 32u;
  let laneRow = lane / 8u;
  let laneColumn = lane % 8u;
  let class_0 = batch % 4u;
  let rho_1 = i32(class_0 / 2u);
  let r_2 = (rho_1 + 3i) % 2i;
  let count_3 = max(0i, (7i - r_2 + 1i) / 2i);
  let rho_4 = i32(class_0 % 2u);
  let r_5 = (rho_4 + 3i) % 2i;
  let count_6 = max(0i, (7i - r_5 + 1i) / 2i);
  let places_7 = u32(count_3 * count_6);
  let first = 0u;
  let last = places_7 * 1u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let v_8 = lane % 8u;
  let v_9 = lane / 8u;
  let o_11 = firstRow + v_8 * 4u;
  let has_18 = o_11 < 3u;
  let v_19 = lane / 8u + 8u;
  let o_21 = firstColumn + v_8;
  let g_22 = batch / 4u;
  let p_23 = o_21 % 256u;
  let u_24 = i32(o_21 / 256u);
  let q_25 = i32(p_23 / 16u);
  let q_26 = i32(p_23 % 16u);
  let w_28 = q_25 + (rho_1 + 3i - r_2) / 2i;
  let w_29 = q_26 + (rho_4 + 3i - r_5) / 2i;
  let at_35 = w_28 * 16i + w_29;
  let o_39 = firstColumn + v_8 + 8u;
  let p_40 = o_39 % 256u;
  let u_41 = i32(o_39 / 256u);
  let q_42 = i32(p_40 / 16u);
  let q_43 = i32(p_40 % 16u);
  let w_44 = q_42 + (rho_1 + 3i - r_2) / 2i;
  let w_45 = q_43 + (rho_4 + 3i - r_5) / 2i;
  let at_49 = w_44 * 16i + w_45;
  let o_52 = firstColumn + v_8 + 16u;
  let p_53 = o_52 % 256u;
  let u_54 = i32(o_52 / 256u);
  let q_55 = i32(p_53 / 16u);
  let q_56 = i32(p_53 % 16u);
  let w_57 = q_55 + (rho_1 + 3i - r_2) / 2i;
  let w_58 = q_56 + (rho_4 + 3i - r_5) / 2i;
  let at_62 = w_57 * 16i + w_58;
  let o_65 = firstColumn + v_8 + 24u;
  let p_66 = o_65 % 256u;
  let u_67 = i32(o_65 / 256u);
  let q_68 = i32(p_66 / 16u);
  let q_69 = i32(p_66 % 16u);
  let w_70 = q_68 + (rho_1 + 3i - r_2) / 2i;
  let w_71 = q_69 + (rho_4 + 3i - r_5) / 2i;
  let at_75 = w_70 * 16i + w_71;

  for (var slab = first; slab < last; slab++) {
    let segment = slab / 1u;
    let start = slab % 1u * 16u;
    let k_10 = start + v_9;
    let step_12 = i32(segment % u32(count_6));
    let rest_13 = segment / u32(count_6);
    let step_14 = i32(rest_13);
    let r_15 = r_2 + step_14 * 2i;
    let r_16 = r_5 + step_12 * 2i;
    let tap_17 = u32((r_15) * 7i + r_16);
    let k_20 = start + v_19;
    let u_27 = i32(k_10);
    let w_30 = step_14 * -1i;
    let w_31 = step_12 * -1i;
    let w_32 = w_28 + w_30;
    let w_33 = w_29 + w_31;
    let has_34 = (u32(w_32) < 16u) & (u32(w_33) < 16u);
    let at_36 = w_30 * 16i + w_31 + u_27 * 256i;
    let e_37 = at_35 + at_36;
    let x_38 = in0[e_37];
    let w_46 = w_44 + w_30;
    let w_47 = w_45 + w_31;
    let has_48 = (u32(w_46) < 16u) & (u32(w_47) < 16u);
    let e_50 = at_49 + at_36;
    let x_51 = in0[e_50];
    let w_59 = w_57 + w_30;
    let w_60 = w_58 + w_31;
    let has_61 = (u32(w_59) < 16u) & (u32(w_60) < 16u);
    let e_63 = at_62 + at_36;
    let x_64 = in0[e_63];
    let w_72 = w_70 + w_30;
    let w_73 = w_71 + w_31;
    let has_74 = (u32(w_72) < 16u) & (u32(w_73) < 16u);
    let e_76 = at_75 + at_36;
    let x_77 = in0[e_76];
    let u_78 = i32(k_20);
    let at_79 = w_30 * 16i + w_31 + u_78 * 256i;
    let e_80 = at_35 + at_79;
    let x_81 = in0[e_80];
    let e_82 = at_49 + at_79;
    let x_83 = in0[e_82];
    let e_84 = at_62 + at_79;
    let x_85 = in0[e_84];
    let e_86 = at_75 + at_79;
    let x_87 = in0[e_86];
    slabA[lane] = select(vec4<f32>(), bitcast<vec4<f32>>(scratch[(tap_17 * 16u + k_10) * 1u + (o_11 >> 2u)]), has_18);
    slabA[lane + 64u] = select(vec4<f32>(), bitcast<vec4<f32>>(scratch[(tap_17 * 16u + k_20) * 1u + (o_11 >> 2u)]), has_18);
    slabB[lane] = vec4<f32>(select(0.0f, x_38, has_34), select(0.0f, x_51, has_48), select(0.0f, x_64, has_61), select(0.0f, x_77, has_74));
    slabB[lane + 64u] = vec4<f32>(select(0.0f, x_81, has_34), select(0.0f, x_83, has_48), select(0.0f, x_85, has_61), select(0.0f, x_87, has_74));
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let a0 = slabA[k * 8u + laneRow];
      let b0 = slabB[k * 8u + laneColumn];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    workgroupBarrier();
  }

  finish(batch, firstRow + laneRow * 4u, firstColumn + laneColumn, c0_0);
  finish(batch, firstRow + laneRow * 4u + 1u, firstColumn + laneColumn, c1_0);
  finish(batch, firstRow + laneRow * 4u + 2u, firstColumn + laneColumn, c2_0);
  finish(batch, firstRow + laneRow * 4u + 3u, firstColumn + laneColumn, c3_0);
}

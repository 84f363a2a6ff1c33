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
    let p_72 = place % 256u;
    let u_73 = i32(place / 256u);
    let q_74 = i32(p_72 / 16u);
    let q_75 = i32(p_72 % 16u);
    let class_76 = batch % 4u;
    let rho_77 = i32(class_76 / 2u);
    let r_78 = (rho_77 + 3i) % 2i;
    let count_79 = max(0i, (7i - r_78 + 1i) / 2i);
    let rho_80 = i32(class_76 % 2u);
    let r_81 = (rho_80 + 3i) % 2i;
    let count_82 = max(0i, (7i - r_81 + 1i) / 2i);
    let q_83 = q_74 * 2i + rho_77;
    let q_84 = q_75 * 2i + rho_80;
    let g_85 = batch / 4u;
    let v_86 = sum[e];
    let c_87 = i32(row);
    out0[c_87 * 1024i + q_83 * 32i + q_84] = v_86;
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
  let w_27 = q_25 + (rho_1 + 3i - r_2) / 2i;
  let w_29 = q_26 + (rho_4 + 3i - r_5) / 2i;
  let o_34 = firstColumn + v_8 + 8u;
  let p_35 = o_34 % 256u;
  let u_36 = i32(o_34 / 256u);
  let q_37 = i32(p_35 / 16u);
  let q_38 = i32(p_35 % 16u);
  let w_39 = q_37 + (rho_1 + 3i - r_2) / 2i;
  let w_41 = q_38 + (rho_4 + 3i - r_5) / 2i;
  let o_45 = firstColumn + v_8 + 16u;
  let p_46 = o_45 % 256u;
  let u_47 = i32(o_45 / 256u);
  let q_48 = i32(p_46 / 16u);
  let q_49 = i32(p_46 % 16u);
  let w_50 = q_48 + (rho_1 + 3i - r_2) / 2i;
  let w_52 = q_49 + (rho_4 + 3i - r_5) / 2i;
  let o_56 = firstColumn + v_8 + 24u;
  let p_57 = o_56 % 256u;
  let u_58 = i32(o_56 / 256u);
  let q_59 = i32(p_57 / 16u);
  let q_60 = i32(p_57 % 16u);
  let w_61 = q_59 + (rho_1 + 3i - r_2) / 2i;
  let w_63 = q_60 + (rho_4 + 3i - r_5) / 2i;

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
    let w_28 = w_27 - step_14;
    let w_30 = w_29 - step_12;
    let u_31 = i32(k_10);
    let has_32 = (u32(w_28) < 16u) & (u32(w_30) < 16u);
    let x_33 = in0[u_31 * 256i + w_28 * 16i + w_30];
    let w_40 = w_39 - step_14;
    let w_42 = w_41 - step_12;
    let has_43 = (u32(w_40) < 16u) & (u32(w_42) < 16u);
    let x_44 = in0[u_31 * 256i + w_40 * 16i + w_42];
    let w_51 = w_50 - step_14;
    let w_53 = w_52 - step_12;
    let has_54 = (u32(w_51) < 16u) & (u32(w_53) < 16u);
    let x_55 = in0[u_31 * 256i + w_51 * 16i + w_53];
    let w_62 = w_61 - step_14;
    let w_64 = w_63 - step_12;
    let has_65 = (u32(w_62) < 16u) & (u32(w_64) < 16u);
    let x_66 = in0[u_31 * 256i + w_62 * 16i + w_64];
    let u_67 = i32(k_20);
    let x_68 = in0[u_67 * 256i + w_28 * 16i + w_30];
    let x_69 = in0[u_67 * 256i + w_40 * 16i + w_42];
    let x_70 = in0[u_67 * 256i + w_51 * 16i + w_53];
    let x_71 = in0[u_67 * 256i + w_62 * 16i + w_64];
    slabA[lane] = select(vec4<f32>(), bitcast<vec4<f32>>(scratch[(tap_17 * 16u + k_10) * 1u + (o_11 >> 2u)]), has_18);
    slabA[lane + 64u] = select(vec4<f32>(), bitcast<vec4<f32>>(scratch[(tap_17 * 16u + k_20) * 1u + (o_11 >> 2u)]), has_18);
    slabB[lane] = vec4<f32>(select(0.0f, x_33, has_32), select(0.0f, x_44, has_43), select(0.0f, x_55, has_54), select(0.0f, x_66, has_65));
    slabB[lane + 64u] = vec4<f32>(select(0.0f, x_68, has_32), select(0.0f, x_69, has_43), select(0.0f, x_70, has_54), select(0.0f, x_71, has_65));
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

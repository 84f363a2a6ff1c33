// conv weightGrad [2,64,14,14] ∗ [64,64,3,3] stride 1,1 dilation 1,1 padding 1,1 groups 1
// 1 × (64 × 392) · (392 × 576), tile 32 × 32 × 16, 4 × 4 a thread, 64 threads

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;

var<workgroup> slabA: array<vec4<f32>, 160>; // [32][k/4 + 1]
var<workgroup> slabB: array<vec4<f32>, 160>; // [32][k/4 + 1]
fn finish(batch: u32, row: u32, column: u32, sum: vec4<f32>) {
  for (var e = 0u; e < 4u; e++) {
    let place = column + e * 8u;
    let p_97 = place % 9u;
    let u_98 = i32(place / 9u);
    let q_99 = i32(p_97 / 3u);
    let q_100 = i32(p_97 % 3u);
    let v_101 = sum[e];
    let c_102 = i32(row);
    out0[c_102 * 576i + u_98 * 9i + q_99 * 3i + q_100] = v_101;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let batch = 0u;
  let firstRow = group % 2u * 32u;
  let firstColumn = group / 2u * 32u;
  let laneRow = lane / 8u;
  let laneColumn = lane % 8u;
  let first = 0u;
  let last = 25u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let v_0 = lane % 4u;
  let v_1 = lane / 4u;
  let o_3 = firstRow + v_1;
  let o_7 = i32(o_3);
  let v_13 = lane / 4u + 16u;
  let o_14 = firstRow + v_13;
  let o_15 = i32(o_14);
  let o_17 = firstColumn + v_1;
  let p_18 = o_17 % 9u;
  let u_19 = i32(o_17 / 9u);
  let q_20 = i32(p_18 / 3u);
  let q_21 = i32(p_18 % 3u);
  let w_24 = q_20 + -1i;
  let w_25 = q_21 + -1i;
  let at_29 = u_19 * 196i + w_24 * 14i + w_25;
  let o_69 = firstColumn + v_13;
  let p_70 = o_69 % 9u;
  let u_71 = i32(o_69 / 9u);
  let q_72 = i32(p_70 / 3u);
  let q_73 = i32(p_70 % 3u);
  let w_74 = q_72 + -1i;
  let w_75 = q_73 + -1i;
  let at_79 = u_71 * 196i + w_74 * 14i + w_75;

  for (var slab = first; slab < last; slab++) {
    let start = slab * 16u;
    let k_2 = start + v_0 * 4u;
    let p_4 = k_2 % 196u;
    let u_5 = i32(k_2 / 196u);
    let q_6 = i32(p_4);
    let p_8 = q_6 + 1i;
    let p_9 = q_6 + 2i;
    let p_10 = q_6 + 3i;
    let q_11 = in1[(u_5 * 12544i + o_7 * 196i + q_6) >> 2u];
    let in_12 = k_2 < 392u;
    let q_16 = in1[(u_5 * 12544i + o_15 * 196i + q_6) >> 2u];
    let q_22 = i32(p_4 / 14u);
    let q_23 = i32(p_4 % 14u);
    let at_26 = q_22 + w_24;
    let at_27 = q_23 + w_25;
    let has_28 = (u32(at_26) < 14u) & (u32(at_27) < 14u);
    let at_30 = u_5 * 12544i + q_22 * 14i + q_23;
    let e_31 = at_29 + at_30;
    let x_32 = in0[e_31];
    let k_33 = start + v_0 * 4u + 1u;
    let p_34 = k_33 % 196u;
    let u_35 = i32(k_33 / 196u);
    let q_36 = i32(p_34 / 14u);
    let q_37 = i32(p_34 % 14u);
    let at_38 = q_36 + w_24;
    let at_39 = q_37 + w_25;
    let has_40 = (u32(at_38) < 14u) & (u32(at_39) < 14u);
    let at_41 = u_35 * 12544i + q_36 * 14i + q_37;
    let e_42 = at_29 + at_41;
    let x_43 = in0[e_42];
    let in_44 = k_33 < 392u;
    let k_45 = start + v_0 * 4u + 2u;
    let p_46 = k_45 % 196u;
    let u_47 = i32(k_45 / 196u);
    let q_48 = i32(p_46 / 14u);
    let q_49 = i32(p_46 % 14u);
    let at_50 = q_48 + w_24;
    let at_51 = q_49 + w_25;
    let has_52 = (u32(at_50) < 14u) & (u32(at_51) < 14u);
    let at_53 = u_47 * 12544i + q_48 * 14i + q_49;
    let e_54 = at_29 + at_53;
    let x_55 = in0[e_54];
    let in_56 = k_45 < 392u;
    let k_57 = start + v_0 * 4u + 3u;
    let p_58 = k_57 % 196u;
    let u_59 = i32(k_57 / 196u);
    let q_60 = i32(p_58 / 14u);
    let q_61 = i32(p_58 % 14u);
    let at_62 = q_60 + w_24;
    let at_63 = q_61 + w_25;
    let has_64 = (u32(at_62) < 14u) & (u32(at_63) < 14u);
    let at_65 = u_59 * 12544i + q_60 * 14i + q_61;
    let e_66 = at_29 + at_65;
    let x_67 = in0[e_66];
    let in_68 = k_57 < 392u;
    let at_76 = q_22 + w_74;
    let at_77 = q_23 + w_75;
    let has_78 = (u32(at_76) < 14u) & (u32(at_77) < 14u);
    let e_80 = at_79 + at_30;
    let x_81 = in0[e_80];
    let at_82 = q_36 + w_74;
    let at_83 = q_37 + w_75;
    let has_84 = (u32(at_82) < 14u) & (u32(at_83) < 14u);
    let e_85 = at_79 + at_41;
    let x_86 = in0[e_85];
    let at_87 = q_48 + w_74;
    let at_88 = q_49 + w_75;
    let has_89 = (u32(at_87) < 14u) & (u32(at_88) < 14u);
    let e_90 = at_79 + at_53;
    let x_91 = in0[e_90];
    let at_92 = q_60 + w_74;
    let at_93 = q_61 + w_75;
    let has_94 = (u32(at_92) < 14u) & (u32(at_93) < 14u);
    let e_95 = at_79 + at_65;
    let x_96 = in0[e_95];
    slabA[v_1 * 5u + v_0] = select(vec4<f32>(), q_11, in_12);
    slabA[v_13 * 5u + v_0] = select(vec4<f32>(), q_16, in_12);
    slabB[v_1 * 5u + v_0] = vec4<f32>(select(f32(0), select(0.0f, x_32, has_28), in_12), select(f32(0), select(0.0f, x_43, has_40), in_44), select(f32(0), select(0.0f, x_55, has_52), in_56), select(f32(0), select(0.0f, x_67, has_64), in_68));
    slabB[v_13 * 5u + v_0] = vec4<f32>(select(f32(0), select(0.0f, x_81, has_78), in_12), select(f32(0), select(0.0f, x_86, has_84), in_44), select(f32(0), select(0.0f, x_91, has_89), in_56), select(f32(0), select(0.0f, x_96, has_94), in_68));
    workgroupBarrier();
    for (var k = 0u; k < 4u; k++) {
      let a0 = slabA[laneRow * 5u + k];
      let a1 = slabA[(laneRow + 8u) * 5u + k];
      let a2 = slabA[(laneRow + 16u) * 5u + k];
      let a3 = slabA[(laneRow + 24u) * 5u + k];
      let b0 = slabB[laneColumn * 5u + k];
      let b1 = slabB[(laneColumn + 8u) * 5u + k];
      let b2 = slabB[(laneColumn + 16u) * 5u + k];
      let b3 = slabB[(laneColumn + 24u) * 5u + k];
      let t0_0 = vec4(b0.x, b1.x, b2.x, b3.x);
      c0_0 += a0.x * t0_0;
      c1_0 += a1.x * t0_0;
      c2_0 += a2.x * t0_0;
      c3_0 += a3.x * t0_0;
      let t1_0 = vec4(b0.y, b1.y, b2.y, b3.y);
      c0_0 += a0.y * t1_0;
      c1_0 += a1.y * t1_0;
      c2_0 += a2.y * t1_0;
      c3_0 += a3.y * t1_0;
      let t2_0 = vec4(b0.z, b1.z, b2.z, b3.z);
      c0_0 += a0.z * t2_0;
      c1_0 += a1.z * t2_0;
      c2_0 += a2.z * t2_0;
      c3_0 += a3.z * t2_0;
      let t3_0 = vec4(b0.w, b1.w, b2.w, b3.w);
      c0_0 += a0.w * t3_0;
      c1_0 += a1.w * t3_0;
      c2_0 += a2.w * t3_0;
      c3_0 += a3.w * t3_0;
    }
    workgroupBarrier();
  }

  finish(batch, firstRow + laneRow, firstColumn + laneColumn, c0_0);
  finish(batch, firstRow + laneRow + 8u, firstColumn + laneColumn, c1_0);
  finish(batch, firstRow + laneRow + 16u, firstColumn + laneColumn, c2_0);
  finish(batch, firstRow + laneRow + 24u, firstColumn + laneColumn, c3_0);
}

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
    let p_69 = place % 9u;
    let u_70 = i32(place / 9u);
    let q_71 = i32(p_69 / 3u);
    let q_72 = i32(p_69 % 3u);
    let v_73 = sum[e];
    let c_74 = i32(row);
    out0[c_74 * 576i + u_70 * 9i + q_71 * 3i + q_72] = v_73;
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
  let v_12 = lane / 4u + 16u;
  let o_13 = firstRow + v_12;
  let o_15 = firstColumn + v_1;
  let p_16 = o_15 % 9u;
  let u_17 = i32(o_15 / 9u);
  let q_18 = i32(p_16 / 3u);
  let q_19 = i32(p_16 % 3u);
  let o_52 = firstColumn + v_12;
  let p_53 = o_52 % 9u;
  let u_54 = i32(o_52 / 9u);
  let q_55 = i32(p_53 / 3u);
  let q_56 = i32(p_53 % 3u);

  for (var slab = first; slab < last; slab++) {
    let start = slab * 16u;
    let k_2 = start + v_0 * 4u;
    let p_4 = k_2 % 196u;
    let u_5 = i32(k_2 / 196u);
    let q_6 = i32(p_4);
    let p_7 = q_6 + 1i;
    let p_8 = q_6 + 2i;
    let p_9 = q_6 + 3i;
    let q_10 = in1[(u_5 * 12544i + i32(o_3) * 196i + q_6) >> 2u];
    let in_11 = k_2 < 392u;
    let q_14 = in1[(u_5 * 12544i + i32(o_13) * 196i + q_6) >> 2u];
    let q_20 = i32(p_4 / 14u);
    let q_21 = i32(p_4 % 14u);
    let at_22 = q_20 * 1i + q_18 * 1i - 1i;
    let at_23 = q_21 * 1i + q_19 * 1i - 1i;
    let x_24 = in0[u_5 * 12544i + u_17 * 196i + at_22 * 14i + at_23];
    let k_25 = start + v_0 * 4u + 1u;
    let p_26 = k_25 % 196u;
    let u_27 = i32(k_25 / 196u);
    let q_28 = i32(p_26 / 14u);
    let q_29 = i32(p_26 % 14u);
    let at_30 = q_28 * 1i + q_18 * 1i - 1i;
    let at_31 = q_29 * 1i + q_19 * 1i - 1i;
    let x_32 = in0[u_27 * 12544i + u_17 * 196i + at_30 * 14i + at_31];
    let in_33 = k_25 < 392u;
    let k_34 = start + v_0 * 4u + 2u;
    let p_35 = k_34 % 196u;
    let u_36 = i32(k_34 / 196u);
    let q_37 = i32(p_35 / 14u);
    let q_38 = i32(p_35 % 14u);
    let at_39 = q_37 * 1i + q_18 * 1i - 1i;
    let at_40 = q_38 * 1i + q_19 * 1i - 1i;
    let x_41 = in0[u_36 * 12544i + u_17 * 196i + at_39 * 14i + at_40];
    let in_42 = k_34 < 392u;
    let k_43 = start + v_0 * 4u + 3u;
    let p_44 = k_43 % 196u;
    let u_45 = i32(k_43 / 196u);
    let q_46 = i32(p_44 / 14u);
    let q_47 = i32(p_44 % 14u);
    let at_48 = q_46 * 1i + q_18 * 1i - 1i;
    let at_49 = q_47 * 1i + q_19 * 1i - 1i;
    let x_50 = in0[u_45 * 12544i + u_17 * 196i + at_48 * 14i + at_49];
    let in_51 = k_43 < 392u;
    let at_57 = q_20 * 1i + q_55 * 1i - 1i;
    let at_58 = q_21 * 1i + q_56 * 1i - 1i;
    let x_59 = in0[u_5 * 12544i + u_54 * 196i + at_57 * 14i + at_58];
    let at_60 = q_28 * 1i + q_55 * 1i - 1i;
    let at_61 = q_29 * 1i + q_56 * 1i - 1i;
    let x_62 = in0[u_27 * 12544i + u_54 * 196i + at_60 * 14i + at_61];
    let at_63 = q_37 * 1i + q_55 * 1i - 1i;
    let at_64 = q_38 * 1i + q_56 * 1i - 1i;
    let x_65 = in0[u_36 * 12544i + u_54 * 196i + at_63 * 14i + at_64];
    let at_66 = q_46 * 1i + q_55 * 1i - 1i;
    let at_67 = q_47 * 1i + q_56 * 1i - 1i;
    let x_68 = in0[u_45 * 12544i + u_54 * 196i + at_66 * 14i + at_67];
    slabA[v_1 * 5u + v_0] = select(vec4<f32>(), q_10, in_11);
    slabA[v_12 * 5u + v_0] = select(vec4<f32>(), q_14, in_11);
    slabB[v_1 * 5u + v_0] = vec4<f32>(select(f32(0), select(0.0f, x_24, (u32(at_22) < 14u) & (u32(at_23) < 14u)), in_11), select(f32(0), select(0.0f, x_32, (u32(at_30) < 14u) & (u32(at_31) < 14u)), in_33), select(f32(0), select(0.0f, x_41, (u32(at_39) < 14u) & (u32(at_40) < 14u)), in_42), select(f32(0), select(0.0f, x_50, (u32(at_48) < 14u) & (u32(at_49) < 14u)), in_51));
    slabB[v_12 * 5u + v_0] = vec4<f32>(select(f32(0), select(0.0f, x_59, (u32(at_57) < 14u) & (u32(at_58) < 14u)), in_11), select(f32(0), select(0.0f, x_62, (u32(at_60) < 14u) & (u32(at_61) < 14u)), in_33), select(f32(0), select(0.0f, x_65, (u32(at_63) < 14u) & (u32(at_64) < 14u)), in_42), select(f32(0), select(0.0f, x_68, (u32(at_66) < 14u) & (u32(at_67) < 14u)), in_51));
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

// matmul [65,67]·[67,130]
// 1 × (65 × 67) · (67 × 130), tile 32 × 32 × 16, 4 × 4 a thread, 64 threads

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;

var<workgroup> slabA: array<vec4<f32>, 128>; // [k][32/4]
var<workgroup> slabB: array<vec4<f32>, 160>; // [32][k/4 + 1]
fn finish(batch: u32, row: u32, column: u32, sum: vec4<f32>) {
  if (row >= 65u) { return; }
  for (var e = 0u; e < 4u; e++) {
    let place = column + e * 8u;
    if (place >= 130u) { break; }
    let v_78 = sum[e];
    let c_79 = i32(row);
    let c_80 = i32(place);
    out0[c_79 * 130i + c_80] = v_78;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let batch = 0u;
  let firstRow = group % 3u * 32u;
  let firstColumn = group / 3u * 32u;
  let laneRow = lane / 8u;
  let laneColumn = lane % 8u;
  let first = 0u;
  let last = 5u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let v_0 = lane % 8u;
  let v_1 = lane / 8u;
  let o_3 = firstRow + v_0;
  let has_7 = o_3 < 65u;
  let o_9 = firstRow + v_0 + 8u;
  let has_13 = o_9 < 65u;
  let o_14 = firstRow + v_0 + 16u;
  let has_18 = o_14 < 65u;
  let o_19 = firstRow + v_0 + 24u;
  let has_23 = o_19 < 65u;
  let v_24 = lane / 8u + 8u;
  let v_39 = lane % 4u;
  let v_40 = lane / 4u;
  let o_42 = firstColumn + v_40;
  let has_46 = o_42 < 130u;
  let v_63 = lane / 4u + 16u;
  let o_64 = firstColumn + v_63;
  let has_68 = o_64 < 130u;

  for (var slab = first; slab < last; slab++) {
    let start = slab * 16u;
    let k_2 = start + v_1;
    let c_4 = i32(o_3);
    let c_5 = i32(k_2);
    let x_6 = in0[c_4 + c_5 * 65i];
    let in_8 = k_2 < 67u;
    let c_10 = i32(o_9);
    let c_11 = i32(k_2);
    let x_12 = in0[c_10 + c_11 * 65i];
    let c_15 = i32(o_14);
    let c_16 = i32(k_2);
    let x_17 = in0[c_15 + c_16 * 65i];
    let c_20 = i32(o_19);
    let c_21 = i32(k_2);
    let x_22 = in0[c_20 + c_21 * 65i];
    let k_25 = start + v_24;
    let c_26 = i32(o_3);
    let c_27 = i32(k_25);
    let x_28 = in0[c_26 + c_27 * 65i];
    let in_29 = k_25 < 67u;
    let c_30 = i32(o_9);
    let c_31 = i32(k_25);
    let x_32 = in0[c_30 + c_31 * 65i];
    let c_33 = i32(o_14);
    let c_34 = i32(k_25);
    let x_35 = in0[c_33 + c_34 * 65i];
    let c_36 = i32(o_19);
    let c_37 = i32(k_25);
    let x_38 = in0[c_36 + c_37 * 65i];
    let k_41 = start + v_39 * 4u;
    let c_43 = i32(k_41);
    let c_44 = i32(o_42);
    let x_45 = in1[c_43 + c_44 * 67i];
    let in_47 = k_41 < 67u;
    let k_48 = start + v_39 * 4u + 1u;
    let c_49 = i32(k_48);
    let c_50 = i32(o_42);
    let x_51 = in1[c_49 + c_50 * 67i];
    let in_52 = k_48 < 67u;
    let k_53 = start + v_39 * 4u + 2u;
    let c_54 = i32(k_53);
    let c_55 = i32(o_42);
    let x_56 = in1[c_54 + c_55 * 67i];
    let in_57 = k_53 < 67u;
    let k_58 = start + v_39 * 4u + 3u;
    let c_59 = i32(k_58);
    let c_60 = i32(o_42);
    let x_61 = in1[c_59 + c_60 * 67i];
    let in_62 = k_58 < 67u;
    let c_65 = i32(k_41);
    let c_66 = i32(o_64);
    let x_67 = in1[c_65 + c_66 * 67i];
    let c_69 = i32(k_48);
    let c_70 = i32(o_64);
    let x_71 = in1[c_69 + c_70 * 67i];
    let c_72 = i32(k_53);
    let c_73 = i32(o_64);
    let x_74 = in1[c_72 + c_73 * 67i];
    let c_75 = i32(k_58);
    let c_76 = i32(o_64);
    let x_77 = in1[c_75 + c_76 * 67i];
    slabA[lane] = vec4<f32>(select(f32(0), x_6, has_7 & in_8), select(f32(0), x_12, has_13 & in_8), select(f32(0), x_17, has_18 & in_8), select(f32(0), x_22, has_23 & in_8));
    slabA[lane + 64u] = vec4<f32>(select(f32(0), x_28, has_7 & in_29), select(f32(0), x_32, has_13 & in_29), select(f32(0), x_35, has_18 & in_29), select(f32(0), x_38, has_23 & in_29));
    slabB[v_40 * 5u + v_39] = vec4<f32>(select(f32(0), x_45, has_46 & in_47), select(f32(0), x_51, has_46 & in_52), select(f32(0), x_56, has_46 & in_57), select(f32(0), x_61, has_46 & in_62));
    slabB[v_63 * 5u + v_39] = vec4<f32>(select(f32(0), x_67, has_68 & in_47), select(f32(0), x_71, has_68 & in_52), select(f32(0), x_74, has_68 & in_57), select(f32(0), x_77, has_68 & in_62));
    workgroupBarrier();
    for (var k = 0u; k < 4u; k++) {
      let b0 = slabB[laneColumn * 5u + k];
      let b1 = slabB[(laneColumn + 8u) * 5u + k];
      let b2 = slabB[(laneColumn + 16u) * 5u + k];
      let b3 = slabB[(laneColumn + 24u) * 5u + k];
      let a0_0 = slabA[(k * 4u) * 8u + laneRow];
      let t0_0 = vec4(b0.x, b1.x, b2.x, b3.x);
      c0_0 += a0_0.x * t0_0;
      c1_0 += a0_0.y * t0_0;
      c2_0 += a0_0.z * t0_0;
      c3_0 += a0_0.w * t0_0;
      let a1_0 = slabA[(k * 4u + 1u) * 8u + laneRow];
      let t1_0 = vec4(b0.y, b1.y, b2.y, b3.y);
      c0_0 += a1_0.x * t1_0;
      c1_0 += a1_0.y * t1_0;
      c2_0 += a1_0.z * t1_0;
      c3_0 += a1_0.w * t1_0;
      let a2_0 = slabA[(k * 4u + 2u) * 8u + laneRow];
      let t2_0 = vec4(b0.z, b1.z, b2.z, b3.z);
      c0_0 += a2_0.x * t2_0;
      c1_0 += a2_0.y * t2_0;
      c2_0 += a2_0.z * t2_0;
      c3_0 += a2_0.w * t2_0;
      let a3_0 = slabA[(k * 4u + 3u) * 8u + laneRow];
      let t3_0 = vec4(b0.w, b1.w, b2.w, b3.w);
      c0_0 += a3_0.x * t3_0;
      c1_0 += a3_0.y * t3_0;
      c2_0 += a3_0.z * t3_0;
      c3_0 += a3_0.w * t3_0;
    }
    workgroupBarrier();
  }

  finish(batch, firstRow + laneRow, firstColumn + laneColumn, c0_0);
  finish(batch, firstRow + laneRow + 8u, firstColumn + laneColumn, c1_0);
  finish(batch, firstRow + laneRow + 16u, firstColumn + laneColumn, c2_0);
  finish(batch, firstRow + laneRow + 24u, firstColumn + laneColumn, c3_0);
}

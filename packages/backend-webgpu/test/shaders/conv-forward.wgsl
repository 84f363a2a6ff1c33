// conv forward [2,64,14,14] ∗ [64,64,3,3] stride 1,1 dilation 1,1 padding 1,1 groups 1
// weights laid out as [group][place][channel][four of m], a thread four

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 64u + lane;
  let tap_1 = i_0 % 9u;
  let rest_2 = i_0 / 9u;
  let inner_3 = rest_2 % 64u;
  let outer_4 = rest_2 / 64u % 16u;
  let r_5 = i32(tap_1 / 3u);
  let r_6 = i32(tap_1 % 3u);
  let m_7 = outer_4 * 4u + 0u;
  let o_8 = i32(m_7);
  let c_9 = i32(inner_3);
  let x_10 = in1[o_8 * 576i + c_9 * 9i + r_5 * 3i + r_6];
  let m_11 = outer_4 * 4u + 1u;
  let o_12 = i32(m_11);
  let x_13 = in1[o_12 * 576i + c_9 * 9i + r_5 * 3i + r_6];
  let m_14 = outer_4 * 4u + 2u;
  let o_15 = i32(m_14);
  let x_16 = in1[o_15 * 576i + c_9 * 9i + r_5 * 3i + r_6];
  let m_17 = outer_4 * 4u + 3u;
  let o_18 = i32(m_17);
  let x_19 = in1[o_18 * 576i + c_9 * 9i + r_5 * 3i + r_6];
  scratch[((0u * 9u + tap_1) * 64u + inner_3) * 16u + outer_4] = bitcast<vec4<u32>>(vec4<f32>(x_10, x_13, x_16, x_19));
}

// conv forward [2,64,14,14] ∗ [64,64,3,3] stride 1,1 dilation 1,1 padding 1,1 groups 1
// 1 × (64 × 9 · 64) · (9 · 64 × 392), tile 32 × 32 × 16, 4 × 4 a thread, 64 threads

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<vec4<u32>>;

var<workgroup> slabA: array<vec4<f32>, 128>; // [k][32/4]
var<workgroup> slabB: array<vec4<f32>, 128>; // [k][32/4]
fn finish(batch: u32, row: u32, column: u32, sum: vec4<f32>) {
  for (var e = 0u; e < 4u; e++) {
    let place = column + e * 8u;
    if (place >= 392u) { break; }
    let p_54 = place % 196u;
    let u_55 = i32(place / 196u);
    let q_56 = i32(p_54 / 14u);
    let q_57 = i32(p_54 % 14u);
    let v_58 = sum[e];
    let c_59 = i32(row);
    out0[u_55 * 12544i + c_59 * 196i + q_56 * 14i + q_57] = v_58;
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
  let last = 36u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let v_0 = lane % 8u;
  let v_1 = lane / 8u;
  let o_3 = firstRow + v_0 * 4u;
  let v_4 = lane / 8u + 8u;
  let o_6 = firstColumn + v_0;
  let p_10 = o_6 % 196u;
  let u_11 = i32(o_6 / 196u);
  let q_12 = i32(p_10 / 14u);
  let q_13 = i32(p_10 % 14u);
  let has_18 = o_6 < 392u;
  let o_19 = firstColumn + v_0 + 8u;
  let p_20 = o_19 % 196u;
  let u_21 = i32(o_19 / 196u);
  let q_22 = i32(p_20 / 14u);
  let q_23 = i32(p_20 % 14u);
  let has_28 = o_19 < 392u;
  let o_29 = firstColumn + v_0 + 16u;
  let p_30 = o_29 % 196u;
  let u_31 = i32(o_29 / 196u);
  let q_32 = i32(p_30 / 14u);
  let q_33 = i32(p_30 % 14u);
  let has_38 = o_29 < 392u;
  let o_39 = firstColumn + v_0 + 24u;
  let p_40 = o_39 % 196u;
  let u_41 = i32(o_39 / 196u);
  let q_42 = i32(p_40 / 14u);
  let q_43 = i32(p_40 % 14u);
  let has_48 = o_39 < 392u;

  for (var slab = first; slab < last; slab++) {
    let segment = slab / 4u;
    let start = slab % 4u * 16u;
    let k_2 = start + v_1;
    let k_5 = start + v_4;
    let u_7 = i32(k_2);
    let r_8 = i32(segment / 3u);
    let r_9 = i32(segment % 3u);
    let at_14 = q_12 * 1i + r_8 * 1i - 1i;
    let at_15 = q_13 * 1i + r_9 * 1i - 1i;
    let has_16 = (u32(at_14) < 14u) & (u32(at_15) < 14u);
    let x_17 = in0[u_11 * 12544i + u_7 * 196i + at_14 * 14i + at_15];
    let at_24 = q_22 * 1i + r_8 * 1i - 1i;
    let at_25 = q_23 * 1i + r_9 * 1i - 1i;
    let has_26 = (u32(at_24) < 14u) & (u32(at_25) < 14u);
    let x_27 = in0[u_21 * 12544i + u_7 * 196i + at_24 * 14i + at_25];
    let at_34 = q_32 * 1i + r_8 * 1i - 1i;
    let at_35 = q_33 * 1i + r_9 * 1i - 1i;
    let has_36 = (u32(at_34) < 14u) & (u32(at_35) < 14u);
    let x_37 = in0[u_31 * 12544i + u_7 * 196i + at_34 * 14i + at_35];
    let at_44 = q_42 * 1i + r_8 * 1i - 1i;
    let at_45 = q_43 * 1i + r_9 * 1i - 1i;
    let has_46 = (u32(at_44) < 14u) & (u32(at_45) < 14u);
    let x_47 = in0[u_41 * 12544i + u_7 * 196i + at_44 * 14i + at_45];
    let u_49 = i32(k_5);
    let x_50 = in0[u_11 * 12544i + u_49 * 196i + at_14 * 14i + at_15];
    let x_51 = in0[u_21 * 12544i + u_49 * 196i + at_24 * 14i + at_25];
    let x_52 = in0[u_31 * 12544i + u_49 * 196i + at_34 * 14i + at_35];
    let x_53 = in0[u_41 * 12544i + u_49 * 196i + at_44 * 14i + at_45];
    slabA[lane] = bitcast<vec4<f32>>(scratch[(segment * 64u + k_2) * 16u + (o_3 >> 2u)]);
    slabA[lane + 64u] = bitcast<vec4<f32>>(scratch[(segment * 64u + k_5) * 16u + (o_3 >> 2u)]);
    slabB[lane] = vec4<f32>(select(f32(0), select(0.0f, x_17, has_16), has_18), select(f32(0), select(0.0f, x_27, has_26), has_28), select(f32(0), select(0.0f, x_37, has_36), has_38), select(f32(0), select(0.0f, x_47, has_46), has_48));
    slabB[lane + 64u] = vec4<f32>(select(f32(0), select(0.0f, x_50, has_16), has_18), select(f32(0), select(0.0f, x_51, has_26), has_28), select(f32(0), select(0.0f, x_52, has_36), has_38), select(f32(0), select(0.0f, x_53, has_46), has_48));
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

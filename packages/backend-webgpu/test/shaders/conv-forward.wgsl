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
    let p_76 = place % 196u;
    let u_77 = i32(place / 196u);
    let q_78 = i32(p_76 / 14u);
    let q_79 = i32(p_76 % 14u);
    let v_80 = sum[e];
    let c_81 = i32(row);
    out0[u_77 * 12544i + c_81 * 196i + q_78 * 14i + q_79] = v_80;
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
  let w_14 = q_12 + -1i;
  let w_15 = q_13 + -1i;
  let at_19 = u_11 * 12544i + w_14 * 14i + w_15;
  let has_23 = o_6 < 392u;
  let o_24 = firstColumn + v_0 + 8u;
  let p_25 = o_24 % 196u;
  let u_26 = i32(o_24 / 196u);
  let q_27 = i32(p_25 / 14u);
  let q_28 = i32(p_25 % 14u);
  let w_29 = q_27 + -1i;
  let w_30 = q_28 + -1i;
  let at_34 = u_26 * 12544i + w_29 * 14i + w_30;
  let has_37 = o_24 < 392u;
  let o_38 = firstColumn + v_0 + 16u;
  let p_39 = o_38 % 196u;
  let u_40 = i32(o_38 / 196u);
  let q_41 = i32(p_39 / 14u);
  let q_42 = i32(p_39 % 14u);
  let w_43 = q_41 + -1i;
  let w_44 = q_42 + -1i;
  let at_48 = u_40 * 12544i + w_43 * 14i + w_44;
  let has_51 = o_38 < 392u;
  let o_52 = firstColumn + v_0 + 24u;
  let p_53 = o_52 % 196u;
  let u_54 = i32(o_52 / 196u);
  let q_55 = i32(p_53 / 14u);
  let q_56 = i32(p_53 % 14u);
  let w_57 = q_55 + -1i;
  let w_58 = q_56 + -1i;
  let at_62 = u_54 * 12544i + w_57 * 14i + w_58;
  let has_65 = o_52 < 392u;

  for (var slab = first; slab < last; slab++) {
    let segment = slab / 4u;
    let start = slab % 4u * 16u;
    let k_2 = start + v_1;
    let k_5 = start + v_4;
    let u_7 = i32(k_2);
    let r_8 = i32(segment / 3u);
    let r_9 = i32(segment % 3u);
    let at_16 = w_14 + r_8;
    let at_17 = w_15 + r_9;
    let has_18 = (u32(at_16) < 14u) & (u32(at_17) < 14u);
    let at_20 = r_8 * 14i + r_9 + u_7 * 196i;
    let e_21 = at_19 + at_20;
    let x_22 = in0[e_21];
    let at_31 = w_29 + r_8;
    let at_32 = w_30 + r_9;
    let has_33 = (u32(at_31) < 14u) & (u32(at_32) < 14u);
    let e_35 = at_34 + at_20;
    let x_36 = in0[e_35];
    let at_45 = w_43 + r_8;
    let at_46 = w_44 + r_9;
    let has_47 = (u32(at_45) < 14u) & (u32(at_46) < 14u);
    let e_49 = at_48 + at_20;
    let x_50 = in0[e_49];
    let at_59 = w_57 + r_8;
    let at_60 = w_58 + r_9;
    let has_61 = (u32(at_59) < 14u) & (u32(at_60) < 14u);
    let e_63 = at_62 + at_20;
    let x_64 = in0[e_63];
    let u_66 = i32(k_5);
    let at_67 = r_8 * 14i + r_9 + u_66 * 196i;
    let e_68 = at_19 + at_67;
    let x_69 = in0[e_68];
    let e_70 = at_34 + at_67;
    let x_71 = in0[e_70];
    let e_72 = at_48 + at_67;
    let x_73 = in0[e_72];
    let e_74 = at_62 + at_67;
    let x_75 = in0[e_74];
    slabA[lane] = bitcast<vec4<f32>>(scratch[(segment * 64u + k_2) * 16u + (o_3 >> 2u)]);
    slabA[lane + 64u] = bitcast<vec4<f32>>(scratch[(segment * 64u + k_5) * 16u + (o_3 >> 2u)]);
    slabB[lane] = vec4<f32>(select(f32(0), select(0.0f, x_22, has_18), has_23), select(f32(0), select(0.0f, x_36, has_33), has_37), select(f32(0), select(0.0f, x_50, has_47), has_51), select(f32(0), select(0.0f, x_64, has_61), has_65));
    slabB[lane + 64u] = vec4<f32>(select(f32(0), select(0.0f, x_69, has_18), has_23), select(f32(0), select(0.0f, x_71, has_33), has_37), select(f32(0), select(0.0f, x_73, has_47), has_51), select(f32(0), select(0.0f, x_75, has_61), has_65));
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

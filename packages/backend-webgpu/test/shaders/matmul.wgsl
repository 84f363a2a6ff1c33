// matmul [64,64]·[64,64]
// 1 × (64 × 64) · (64 × 64), tile 32 × 32 × 16, 4 × 4 a thread, 64 threads

@group(0) @binding(0) var<storage, read> in0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> in1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out0: array<vec4<f32>>;

var<workgroup> slabA: array<vec4<f32>, 160>; // [32][k/4 + 1]
var<workgroup> slabB: array<vec4<f32>, 128>; // [k][32/4]
fn finish(batch: u32, row: u32, column: u32, sum: vec4<f32>) {
  let p_22 = i32(column) + 1i;
  let p_23 = i32(column) + 2i;
  let p_24 = i32(column) + 3i;
  let v_25 = sum.x;
  let v_26 = sum.y;
  let v_27 = sum.z;
  let v_28 = sum.w;
  out0[((i32(row)) * 64i + i32(column)) >> 2u] = vec4<f32>(v_25, v_26, v_27, v_28);
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
  let last = 4u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let v_0 = lane % 4u;
  let v_1 = lane / 4u;
  let o_3 = firstRow + v_1;
  let v_8 = lane / 4u + 16u;
  let o_9 = firstRow + v_8;
  let v_11 = lane % 8u;
  let v_12 = lane / 8u;
  let o_14 = firstColumn + v_11 * 4u;
  let v_19 = lane / 8u + 8u;

  for (var slab = first; slab < last; slab++) {
    let start = slab * 16u;
    let k_2 = start + v_0 * 4u;
    let p_4 = i32(k_2) + 1i;
    let p_5 = i32(k_2) + 2i;
    let p_6 = i32(k_2) + 3i;
    let q_7 = in0[((i32(o_3)) * 64i + i32(k_2)) >> 2u];
    let q_10 = in0[((i32(o_9)) * 64i + i32(k_2)) >> 2u];
    let k_13 = start + v_12;
    let p_15 = i32(o_14) + 1i;
    let p_16 = i32(o_14) + 2i;
    let p_17 = i32(o_14) + 3i;
    let q_18 = in1[((i32(k_13)) * 64i + i32(o_14)) >> 2u];
    let k_20 = start + v_19;
    let q_21 = in1[((i32(k_20)) * 64i + i32(o_14)) >> 2u];
    slabA[v_1 * 5u + v_0] = q_7;
    slabA[v_8 * 5u + v_0] = q_10;
    slabB[lane] = q_18;
    slabB[lane + 64u] = q_21;
    workgroupBarrier();
    for (var k = 0u; k < 4u; k++) {
      let a0 = slabA[laneRow * 5u + k];
      let a1 = slabA[(laneRow + 8u) * 5u + k];
      let a2 = slabA[(laneRow + 16u) * 5u + k];
      let a3 = slabA[(laneRow + 24u) * 5u + k];
      let b0_0 = slabB[(k * 4u) * 8u + laneColumn];
      c0_0 += a0.x * b0_0;
      c1_0 += a1.x * b0_0;
      c2_0 += a2.x * b0_0;
      c3_0 += a3.x * b0_0;
      let b1_0 = slabB[(k * 4u + 1u) * 8u + laneColumn];
      c0_0 += a0.y * b1_0;
      c1_0 += a1.y * b1_0;
      c2_0 += a2.y * b1_0;
      c3_0 += a3.y * b1_0;
      let b2_0 = slabB[(k * 4u + 2u) * 8u + laneColumn];
      c0_0 += a0.z * b2_0;
      c1_0 += a1.z * b2_0;
      c2_0 += a2.z * b2_0;
      c3_0 += a3.z * b2_0;
      let b3_0 = slabB[(k * 4u + 3u) * 8u + laneColumn];
      c0_0 += a0.w * b3_0;
      c1_0 += a1.w * b3_0;
      c2_0 += a2.w * b3_0;
      c3_0 += a3.w * b3_0;
    }
    workgroupBarrier();
  }

  finish(batch, firstRow + laneRow, firstColumn + laneColumn * 4u, c0_0);
  finish(batch, firstRow + laneRow + 8u, firstColumn + laneColumn * 4u, c1_0);
  finish(batch, firstRow + laneRow + 16u, firstColumn + laneColumn * 4u, c2_0);
  finish(batch, firstRow + laneRow + 24u, firstColumn + laneColumn * 4u, c3_0);
}

// matmul [64,64]·[64,64]
// 1 × (64 × 64) · (64 × 64), tile 32 × 32 × 8, 4 × 4 a thread, 64 threads, ahead

@group(0) @binding(0) var<storage, read> in0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> in1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out0: array<vec4<f32>>;

var<workgroup> slabA: array<vec4<f32>, 192>; // [32][k/4 + 1]
var<workgroup> slabB: array<vec4<f32>, 128>; // [k][32/4]
fn finish(batch: u32, row: u32, column: u32, sum: vec4<f32>) {
  let p_16 = i32(column) + 1i;
  let p_17 = i32(column) + 2i;
  let p_18 = i32(column) + 3i;
  let v_19 = sum.x;
  let v_20 = sum.y;
  let v_21 = sum.z;
  let v_22 = sum.w;
  out0[((i32(row)) * 64i + i32(column)) >> 2u] = vec4<f32>(v_19, v_20, v_21, v_22);
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
  let last = 8u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let v_0 = lane % 2u;
  let v_1 = lane / 2u;
  let o_3 = firstRow + v_1;
  let v_8 = lane % 8u;
  let v_9 = lane / 8u;
  let o_11 = firstColumn + v_8 * 4u;
  var nextA0: vec4<f32>;
  var nextB0: vec4<f32>;

  for (var slab = first; slab <= last; slab++) {
    if (slab < last) {
      let start = slab * 8u;
      let k_2 = start + v_0 * 4u;
      let p_4 = i32(k_2) + 1i;
      let p_5 = i32(k_2) + 2i;
      let p_6 = i32(k_2) + 3i;
      let q_7 = in0[((i32(o_3)) * 64i + i32(k_2)) >> 2u];
      let k_10 = start + v_9;
      let p_12 = i32(o_11) + 1i;
      let p_13 = i32(o_11) + 2i;
      let p_14 = i32(o_11) + 3i;
      let q_15 = in1[((i32(k_10)) * 64i + i32(o_11)) >> 2u];
      nextA0 = q_7;
      nextB0 = q_15;
    }
    if (slab > first) {
      let copyA = (slab + 1u) % 2u * 96u;
      let copyB = (slab + 1u) % 2u * 64u;
      for (var k = 0u; k < 2u; k++) {
        let a0 = slabA[copyA + laneRow * 3u + k];
        let a1 = slabA[copyA + (laneRow + 8u) * 3u + k];
        let a2 = slabA[copyA + (laneRow + 16u) * 3u + k];
        let a3 = slabA[copyA + (laneRow + 24u) * 3u + k];
        let b0_0 = slabB[copyB + (k * 4u) * 8u + laneColumn];
        c0_0 += a0.x * b0_0;
        c1_0 += a1.x * b0_0;
        c2_0 += a2.x * b0_0;
        c3_0 += a3.x * b0_0;
        let b1_0 = slabB[copyB + (k * 4u + 1u) * 8u + laneColumn];
        c0_0 += a0.y * b1_0;
        c1_0 += a1.y * b1_0;
        c2_0 += a2.y * b1_0;
        c3_0 += a3.y * b1_0;
        let b2_0 = slabB[copyB + (k * 4u + 2u) * 8u + laneColumn];
        c0_0 += a0.z * b2_0;
        c1_0 += a1.z * b2_0;
        c2_0 += a2.z * b2_0;
        c3_0 += a3.z * b2_0;
        let b3_0 = slabB[copyB + (k * 4u + 3u) * 8u + laneColumn];
        c0_0 += a0.w * b3_0;
        c1_0 += a1.w * b3_0;
        c2_0 += a2.w * b3_0;
        c3_0 += a3.w * b3_0;
      }
    }
    if (slab < last) {
      slabA[slab % 2u * 96u + v_1 * 3u + v_0] = nextA0;
      slabB[slab % 2u * 64u + lane] = nextB0;
    }
    workgroupBarrier();
  }

  finish(batch, firstRow + laneRow, firstColumn + laneColumn * 4u, c0_0);
  finish(batch, firstRow + laneRow + 8u, firstColumn + laneColumn * 4u, c1_0);
  finish(batch, firstRow + laneRow + 16u, firstColumn + laneColumn * 4u, c2_0);
  finish(batch, firstRow + laneRow + 24u, firstColumn + laneColumn * 4u, c3_0);
}

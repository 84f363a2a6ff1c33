// matmul [64,64]·[64,64]
// 1 × (64 × 64) · (64 × 64) of float16, tile 64 × 64 × 32, 32 × 32 a subgroup in blocks of 16 × 16 × 16
// k in 2 parts

enable f16;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

@group(0) @binding(0) var<storage, read> in0: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> in1: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read_write> out0: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> scratch: array<vec4<u32>>;

var<workgroup> blocks: array<f32, 1024>;
var<workgroup> slabA: array<f16, 2560>; // [64][k + 8]
var<workgroup> slabB: array<f16, 2304>; // [k][64 + 8]
fn finish(lane: u32, part: u32, batch: u32, firstRow: u32, firstColumn: u32) {
  for (var e = lane % 32u; e < 64u; e += 32u) {
    let row = firstRow + e / 4u;
    let column = firstColumn + e % 4u * 4u;
    let from_16 = lane / 32u * 256u + e * 4u;
    let sum_17 = vec4<f32>(blocks[from_16], blocks[from_16 + 1u], blocks[from_16 + 2u], blocks[from_16 + 3u]);
    scratch[((part * 1u + batch) * 64u + row) * 16u + column / 4u] = bitcast<vec4<u32>>(sum_17);
  }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let batch = 0u;
  let part = group;
  let firstRow = 0u;
  let firstColumn = 0u;
  let subgroup = lane / 32u;
  let partRow = subgroup / 2u * 32u;
  let partColumn = subgroup % 2u * 32u;
  let share = (2u + 1u) / 2u;
  let first = part * share;
  let last = min(2u, first + share);
  var c0_0: subgroup_matrix_result<f32, 16, 16>;
  var c0_1: subgroup_matrix_result<f32, 16, 16>;
  var c1_0: subgroup_matrix_result<f32, 16, 16>;
  var c1_1: subgroup_matrix_result<f32, 16, 16>;

  for (var slab = first; slab < last; slab++) {
    let start = slab * 32u;
    for (var e = lane; e < 512u; e += 128u) {
      let x_0 = e % 8u;
      let y_1 = e / 8u;
      let k_2 = start + x_0 * 4u + 0u;
      let o_3 = firstRow + y_1;
      let p_4 = i32(k_2) + 1i;
      let p_5 = i32(k_2) + 2i;
      let p_6 = i32(k_2) + 3i;
      let q_7 = vec4<f32>(in0[((i32(o_3)) * 64i + i32(k_2)) >> 2u]);
      slabA[y_1 * 40u + x_0 * 4u + 0u] = f16(q_7.x);
      slabA[y_1 * 40u + x_0 * 4u + 1u] = f16(q_7.y);
      slabA[y_1 * 40u + x_0 * 4u + 2u] = f16(q_7.z);
      slabA[y_1 * 40u + x_0 * 4u + 3u] = f16(q_7.w);
    }
    for (var e = lane; e < 512u; e += 128u) {
      let x_8 = e % 16u;
      let y_9 = e / 16u;
      let k_10 = start + y_9;
      let o_11 = firstColumn + x_8 * 4u + 0u;
      let p_12 = i32(o_11) + 1i;
      let p_13 = i32(o_11) + 2i;
      let p_14 = i32(o_11) + 3i;
      let q_15 = vec4<f32>(in1[((i32(k_10)) * 64i + i32(o_11)) >> 2u]);
      slabB[y_9 * 72u + x_8 * 4u + 0u] = f16(q_15.x);
      slabB[y_9 * 72u + x_8 * 4u + 1u] = f16(q_15.y);
      slabB[y_9 * 72u + x_8 * 4u + 2u] = f16(q_15.z);
      slabB[y_9 * 72u + x_8 * 4u + 3u] = f16(q_15.w);
    }
    workgroupBarrier();
    for (var k = 0u; k < 32u; k += 16u) {
      let a0 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>>(&slabA, (partRow + 0u) * 40u + k, false, 40u);
      let a1 = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>>(&slabA, (partRow + 16u) * 40u + k, false, 40u);
      let b0 = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>>(&slabB, k * 72u + partColumn + 0u, false, 72u);
      c0_0 = subgroupMatrixMultiplyAccumulate(a0, b0, c0_0);
      c1_0 = subgroupMatrixMultiplyAccumulate(a1, b0, c1_0);
      let b1 = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>>(&slabB, k * 72u + partColumn + 16u, false, 72u);
      c0_1 = subgroupMatrixMultiplyAccumulate(a0, b1, c0_1);
      c1_1 = subgroupMatrixMultiplyAccumulate(a1, b1, c1_1);
    }
    workgroupBarrier();
  }

  subgroupMatrixStore(&blocks, subgroup * 256u, c0_0, false, 16u);
  workgroupBarrier();
  finish(lane, part, batch, firstRow + partRow + 0u, firstColumn + partColumn + 0u);
  workgroupBarrier();
  subgroupMatrixStore(&blocks, subgroup * 256u, c0_1, false, 16u);
  workgroupBarrier();
  finish(lane, part, batch, firstRow + partRow + 0u, firstColumn + partColumn + 16u);
  workgroupBarrier();
  subgroupMatrixStore(&blocks, subgroup * 256u, c1_0, false, 16u);
  workgroupBarrier();
  finish(lane, part, batch, firstRow + partRow + 16u, firstColumn + partColumn + 0u);
  workgroupBarrier();
  subgroupMatrixStore(&blocks, subgroup * 256u, c1_1, false, 16u);
  workgroupBarrier();
  finish(lane, part, batch, firstRow + partRow + 16u, firstColumn + partColumn + 16u);
  workgroupBarrier();
}

// matmul [64,64]·[64,64]
// 1 × (64 × 64) · (64 × 64) of float16, tile 64 × 64 × 32, 32 × 32 a subgroup in blocks of 16 × 16 × 16
// k in 2 parts
// the parts of each sum added in order, and stored

enable f16;

@group(0) @binding(0) var<storage, read> in0: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> in1: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read_write> out0: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> scratch: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 64u + lane;
  let firstColumn = i_0 % 16u * 4u;
  let laneColumn = 0u;
  let column = firstColumn + laneColumn * 4u;
  let row = i_0 / 16u % 64u;
  let batch = i_0 / 1024u;
  var sum = vec4<f32>();
  for (var part = 0u; part < 2u; part++) {
    sum += bitcast<vec4<f32>>(scratch[((part * 1u + batch) * 64u + row) * 16u + column / 4u]);
  }
  let p_1 = i32(column) + 1i;
  let p_2 = i32(column) + 2i;
  let p_3 = i32(column) + 3i;
  let v_4 = sum.x;
  let v_5 = sum.y;
  let v_6 = sum.z;
  let v_7 = sum.w;
  out0[((i32(row)) * 64i + i32(column)) >> 2u] = vec4<f32>(v_4, v_5, v_6, v_7);
}

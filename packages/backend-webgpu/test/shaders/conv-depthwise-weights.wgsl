// conv weightGrad [2,32,10,10] ∗ [32,1,3,3] stride 1,1 dilation 1,1 padding 1,1 groups 32
// direct: 3 workgroups of 64 an output channel, 9 sums a thread

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<u32>;

var<workgroup> lanes: array<f32, 64>;
fn added(lane: u32, mine: f32) -> f32 {
  workgroupBarrier();
  lanes[lane] = mine;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] += lanes[lane + half]; }
  }
  return lanes[lane];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let o_0 = i32(group / 3u);
  let part_1 = group % 3u;
  var sum0 = f32(0);
  var sum1 = f32(0);
  var sum2 = f32(0);
  var sum3 = f32(0);
  var sum4 = f32(0);
  var sum5 = f32(0);
  var sum6 = f32(0);
  var sum7 = f32(0);
  var sum8 = f32(0);
  for (var i = part_1 * 67u + lane; i < min(200u, (part_1 + 1u) * 67u); i += 64u) {
    let c_2 = i32(i / 100u);
    let c_3 = i32(i / 10u % 10u);
    let c_4 = i32(i % 10u);
    let x_5 = in1[c_2 * 3200i + o_0 * 100i + c_3 * 10i + c_4];
    let group_6 = o_0 / 1i;
    let from_7 = group_6 * 1i + 0i;
    let at_8 = c_3 * 1i + 0i * 1i - 1i;
    let at_9 = c_4 * 1i + 0i * 1i - 1i;
    let x_10 = in0[c_2 * 3200i + from_7 * 100i + at_8 * 10i + at_9];
    sum0 += x_5 * select(f32(0), x_10, (u32(at_8) < 10u) & (u32(at_9) < 10u));
    let at_11 = c_4 * 1i + 1i * 1i - 1i;
    let x_12 = in0[c_2 * 3200i + from_7 * 100i + at_8 * 10i + at_11];
    sum1 += x_5 * select(f32(0), x_12, (u32(at_8) < 10u) & (u32(at_11) < 10u));
    let at_13 = c_4 * 1i + 2i * 1i - 1i;
    let x_14 = in0[c_2 * 3200i + from_7 * 100i + at_8 * 10i + at_13];
    sum2 += x_5 * select(f32(0), x_14, (u32(at_8) < 10u) & (u32(at_13) < 10u));
    let at_15 = c_3 * 1i + 1i * 1i - 1i;
    let x_16 = in0[c_2 * 3200i + from_7 * 100i + at_15 * 10i + at_9];
    sum3 += x_5 * select(f32(0), x_16, (u32(at_15) < 10u) & (u32(at_9) < 10u));
    let x_17 = in0[c_2 * 3200i + from_7 * 100i + at_15 * 10i + at_11];
    sum4 += x_5 * select(f32(0), x_17, (u32(at_15) < 10u) & (u32(at_11) < 10u));
    let x_18 = in0[c_2 * 3200i + from_7 * 100i + at_15 * 10i + at_13];
    sum5 += x_5 * select(f32(0), x_18, (u32(at_15) < 10u) & (u32(at_13) < 10u));
    let at_19 = c_3 * 1i + 2i * 1i - 1i;
    let x_20 = in0[c_2 * 3200i + from_7 * 100i + at_19 * 10i + at_9];
    sum6 += x_5 * select(f32(0), x_20, (u32(at_19) < 10u) & (u32(at_9) < 10u));
    let x_21 = in0[c_2 * 3200i + from_7 * 100i + at_19 * 10i + at_11];
    sum7 += x_5 * select(f32(0), x_21, (u32(at_19) < 10u) & (u32(at_11) < 10u));
    let x_22 = in0[c_2 * 3200i + from_7 * 100i + at_19 * 10i + at_13];
    sum8 += x_5 * select(f32(0), x_22, (u32(at_19) < 10u) & (u32(at_13) < 10u));
  }
  sum0 = added(lane, sum0);
  sum1 = added(lane, sum1);
  sum2 = added(lane, sum2);
  sum3 = added(lane, sum3);
  sum4 = added(lane, sum4);
  sum5 = added(lane, sum5);
  sum6 = added(lane, sum6);
  sum7 = added(lane, sum7);
  sum8 = added(lane, sum8);
  if (lane > 0u) { return; }
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 0u] = bitcast<u32>(sum0);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 1u] = bitcast<u32>(sum1);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 2u] = bitcast<u32>(sum2);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 3u] = bitcast<u32>(sum3);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 4u] = bitcast<u32>(sum4);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 5u] = bitcast<u32>(sum5);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 6u] = bitcast<u32>(sum6);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 7u] = bitcast<u32>(sum7);
  scratch[(part_1 * 32u + u32(o_0)) * 9u + 8u] = bitcast<u32>(sum8);
}

// conv weightGrad [2,32,10,10] ∗ [32,1,3,3] stride 1,1 dilation 1,1 padding 1,1 groups 32
// 3 parts of each sum added in order

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read> in1: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let i_0 = group * 64u + lane;
  if (i_0 >= 288u) { return; }
  var sum = f32(0);
  for (var part = 0u; part < 3u; part++) {
    sum += bitcast<f32>(scratch[part * 288u + i_0]);
  }
  let o_1 = i32(i_0 / 9u);
  let weight_2 = i_0 % 9u;
  let w_3 = i32(weight_2 / 3u);
  let w_4 = i32(weight_2 % 3u);
  out0[o_1 * 9i + w_3 * 3i + w_4] = sum;
}

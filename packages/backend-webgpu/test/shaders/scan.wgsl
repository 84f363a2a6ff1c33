// scan sum [3000] along 0 · 1 rows of 3000
// totals: 256 lanes of 8 elements, 1 rows a workgroup

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read_write> out0: array<f32>;
@group(0) @binding(2) var<storage, read_write> scratch: array<u32>;

var<workgroup> lanes_running: array<f32, 256>;

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let chunk = group % 2u;
  let part = lane % 256u;
  let live = group / 2u * 1u + lane / 256u < 1u;
  let row = min(group / 2u * 1u + lane / 256u, 0u);
  let first = (chunk * 256u + part) * 8u;
  let end = min(first + 8u, 3000u);
  var running: f32;
  for (var n = first; n < end; n++) {
    let position_0 = i32(n);
    let x_1 = in0[position_0];
    let v_2 = x_1;
    if ((n > first)) {
      running = running + v_2;
    } else {
      running = v_2;
    }
  }
  lanes_running[lane] = running;
  workgroupBarrier();
  for (var back = 1u; back < 256u; back *= 2u) {
    if (part >= back) {
      {
        let its_running = running;
        running = lanes_running[lane - back];
        running = running + its_running;
      }
    }
    workgroupBarrier();
    lanes_running[lane] = running;
    workgroupBarrier();
  }
  if (live & (first < 3000u) & ((end == 3000u) | (part == 255u))) {
    scratch[0u + row * 2u + chunk] = bitcast<u32>(running);
  }
}

// scan sum [3000] along 0 · 1 rows of 3000
// what stands before each block: 1 lanes of 2 elements, 1 rows a workgroup

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read_write> out0: array<f32>;
@group(0) @binding(2) var<storage, read_write> scratch: array<u32>;

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let chunk = 0u;
  let part = 0u;
  let live = group / 1u * 1u + lane / 1u < 1u;
  let row = min(group / 1u * 1u + lane / 1u, 0u);
  let first = (chunk * 1u + part) * 2u;
  let end = min(first + 2u, 2u);
  var running: f32;
  if (live) {
    for (var n = first; n < end; n++) {
      let v_0 = bitcast<f32>(scratch[0u + row * 2u + n]);
      scratch[0u + row * 2u + n] = bitcast<u32>(running);
      if ((n > first)) {
        running = running + v_0;
      } else {
        running = v_0;
      }
    }
  }
}

// scan sum [3000] along 0 · 1 rows of 3000
// results: 256 lanes of 8 elements, 1 rows a workgroup

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read_write> out0: array<f32>;
@group(0) @binding(2) var<storage, read_write> scratch: array<u32>;

var<workgroup> lanes_running: array<f32, 256>;

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  let chunk = group % 2u;
  let part = lane % 256u;
  let live = group / 2u * 1u + lane / 256u < 1u;
  let row = min(group / 2u * 1u + lane / 256u, 0u);
  let first = (chunk * 256u + part) * 8u;
  let end = min(first + 8u, 3000u);
  var running: f32;
  for (var n = first; n < end; n++) {
    let position_0 = i32(n);
    let x_1 = in0[position_0];
    let v_2 = x_1;
    if ((n > first)) {
      running = running + v_2;
    } else {
      running = v_2;
    }
  }
  lanes_running[lane] = running;
  workgroupBarrier();
  for (var back = 1u; back < 256u; back *= 2u) {
    if (part >= back) {
      {
        let its_running = running;
        running = lanes_running[lane - back];
        running = running + its_running;
      }
    }
    workgroupBarrier();
    lanes_running[lane] = running;
    workgroupBarrier();
  }
  if (part > 0u) {
    running = lanes_running[lane - 1u];
  }
  if (chunk > 0u) {
    if (part > 0u) {
      {
        let its_running = running;
        running = bitcast<f32>(scratch[0u + row * 2u + chunk]);
        running = running + its_running;
      }
    } else {
      running = bitcast<f32>(scratch[0u + row * 2u + chunk]);
    }
  }
  if (live) {
    for (var n = first; n < end; n++) {
      let position_3 = i32(n);
      let x_4 = in0[position_3];
      let v_5 = x_4;
      if ((n > first) | (part > 0u) | (chunk > 0u)) {
        running = running + v_5;
      } else {
        running = v_5;
      }
      out0[position_3] = running;
    }
  }
}

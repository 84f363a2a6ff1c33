// sort [5,33] along 1, descending, the first 33 · 5 rows of 33
// runs of 64, 2 sorted by a workgroup of 64

@group(0) @binding(0) var<storage, read> in0: array<f32>;
@group(0) @binding(1) var<storage, read_write> out0: array<f32>;
@group(0) @binding(2) var<storage, read_write> out1: array<i32>;

var<workgroup> keys: array<u32, 128>;
var<workgroup> places: array<u32, 128>;
fn orderOf(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (isNan(x)) { return 0xffffffffu; }
  if (x == 0.0f) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.x;
  for (var n = lane; n < 128u; n += 64u) {
    let which = group * 2u + n / 64u;
    let row = which;
    let position = n % 64u;
    var key = 0xffffffffu;
    var place = 0xffffffffu; // behind every pair
    if ((which < 5u) & (position < 33u)) {
      let c_0 = i32(row);
      let c_1 = i32(position);
      let x_2 = in0[c_0 * 33i + c_1];
      key = ~(orderOf(x_2));
      place = position;
    }
    keys[n] = key;
    places[n] = place;
  }
  for (var size = 2u; size <= 64u; size *= 2u) {
    for (var half = size / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      for (var n = lane; n < 64u; n += 64u) {
        let low = 2u * n - (n & (half - 1u));
        let high = low + half;
        let one = vec2<u32>(keys[low], places[low]);
        let other = vec2<u32>(keys[high], places[high]);
        let after = (one.x > other.x) | ((one.x == other.x) & (one.y > other.y));
        if (after == ((low & size & 63u) == 0u)) {
          keys[low] = other.x; places[low] = other.y;
          keys[high] = one.x; places[high] = one.y;
        }
      }
    }
  }
  workgroupBarrier();
  for (var n = lane; n < 128u; n += 64u) {
    let which = group * 2u + n / 64u;
    let row = which;
    let position = n % 64u;
    if ((which < 5u) & (position < 33u)) {
      let from_3 = i32(places[n]);
      let c_4 = i32(row);
      let x_5 = in0[c_4 * 33i + from_3];
      let v_6 = x_5;
      let c_7 = i32(row);
      let c_8 = i32(position);
      out0[c_7 * 33i + c_8] = v_6;
      out1[c_7 * 33i + c_8] = from_3;
    }
  }
}

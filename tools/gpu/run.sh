#!/bin/sh
# Runs the bundle on this machine's GPU: the loader and Node come along, the driver is the machine's.
here=$(cd "$(dirname "$0")" && pwd)
XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp -d)}
LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# where containers have the driver mounted, it may be on no path
for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib; do
  [ -d "$folder" ] && LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$folder
done
export XDG_RUNTIME_DIR LD_LIBRARY_PATH
loads() { # Node takes it for an addon and complains of it only after it is loaded
  "$here/node" -e 'try { process.dlopen({ exports: {} }, process.argv[1]) } catch (e) { process.exit(/self-register/.test(e) ? 0 : 1) }' "$1"
}
if [ -z "$VK_DRIVER_FILES" ]; then
  # The driver is in two libraries: the usual one wants X's, which a bare machine may not have.
  library=libGLX_nvidia.so.0
  if loads $library; then
    for file in /usr/share/vulkan/icd.d/nvidia_icd*.json /etc/vulkan/icd.d/nvidia_icd*.json \
      /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd*.json; do
      [ -f "$file" ] && VK_DRIVER_FILES=$file && break
    done
  elif loads libEGL_nvidia.so.0; then
    library=libEGL_nvidia.so.0
  fi
  # A container may have the driver's libraries and not its file. Other drivers are no NVIDIA: name one yourself.
  if [ -z "$VK_DRIVER_FILES" ]; then
    VK_DRIVER_FILES=$XDG_RUNTIME_DIR/nvidia_icd.json
    echo '{"file_format_version":"1.0.0","ICD":{"library_path":"'$library'","api_version":"1.3.0"}}' >"$VK_DRIVER_FILES"
  fi
fi
export VK_DRIVER_FILES
exec "$here/node" --no-warnings --expose-gc "$here/main.mjs" "$@"

#!/bin/sh
# Runs the bundle on this machine's GPU: the loader and Node come along, the driver is the machine's.
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "$VK_DRIVER_FILES" ]; then
  for file in /usr/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json \
    /usr/share/vulkan/icd.d/nvidia_icd.x86_64.json /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json \
    /usr/share/vulkan/icd.d/*.json; do
    if [ -f "$file" ]; then
      VK_DRIVER_FILES=$file
      break
    fi
  done
  # A container may have the driver's libraries and not its file.
  if [ -z "$VK_DRIVER_FILES" ]; then
    VK_DRIVER_FILES=$here/nvidia_icd.json
    echo '{"file_format_version":"1.0.0","ICD":{"library_path":"libGLX_nvidia.so.0","api_version":"1.3.0"}}' >"$VK_DRIVER_FILES"
  fi
fi
XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp -d)}
LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export VK_DRIVER_FILES XDG_RUNTIME_DIR LD_LIBRARY_PATH
exec "$here/node" --no-warnings --expose-gc "$here/main.mjs" "$@"

import { type Webgpu, webgpu } from '@tessera/backend-webgpu';
import { BackendError, setBackend } from '@tessera/tensor';

// Without the package `webgpu`, or without a driver, it says what is missing.
const backend: Webgpu | BackendError = await webgpu().catch((error: unknown) => error as BackendError);
if (!(backend instanceof BackendError)) setBackend(backend);
else if (!/npm install webgpu|no adapter/.test(backend.message)) throw backend;

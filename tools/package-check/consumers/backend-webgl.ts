import { type Webgl, webgl } from '@tessera/backend-webgl';
import { BackendError, setBackend } from '@tessera/tensor';

// In Node it says that there is no WebGL.
const backend: Webgl | BackendError = await webgl().catch((error: unknown) => error as BackendError);
if (!(backend instanceof BackendError)) setBackend(backend);
else if (!/no WebGL here/.test(backend.message)) throw backend;

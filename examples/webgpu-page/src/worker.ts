/** The worker of the page: lessons on WebGPU. A lost GPU is another one. */
import { webgpu } from '@tessera/backend-webgpu';
import { teach } from './lesson';

teach({
  make: (onLost) => webgpu({ onLost }),
  renew: (lost, onLost) => {
    lost.dispose();
    return webgpu({ onLost });
  },
  describe: (backend) => `${backend.info().adapter}; ${backend.info().features.join(', ')}`,
});

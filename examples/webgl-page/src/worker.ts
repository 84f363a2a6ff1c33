/** The worker of the page: lessons on WebGL2. After a lost context the same backend goes on, on another. */
import { webgl } from '@tessera/backend-webgl';
import { teach } from '../../webgpu-page/src/lesson';

teach({
  make: (onLost) => webgl({ onLost }),
  renew: async (lost) => {
    await lost.restore();
    return lost;
  },
  describe: (backend) => `${backend.info().renderer}; textures of ${backend.info().storage}`,
});

import { describeKernels } from '../../testkit/src/kernels';
import { cpu } from '../src/index';

describeKernels('cpu', () => cpu({ threads: 2 }));

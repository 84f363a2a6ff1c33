/** The interpreter behind its worker: every kernel kind comes through the messages unharmed. */
import { describeKernels } from '@tessera/testkit';
import { RemoteReference } from '../src/remote';

describeKernels('the interpreter in a worker', () => new RemoteReference({}), { random: 30 });

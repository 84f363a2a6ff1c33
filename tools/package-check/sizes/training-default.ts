/** The same training by the default entry, which brings every gradient. */
import { valueAndGrad } from '@tessera/autograd';
import { trainer } from './network.ts';

export const start = () => trainer(valueAndGrad, 0.1);

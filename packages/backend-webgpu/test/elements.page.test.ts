import { describePage } from './pages';

describePage('elements');

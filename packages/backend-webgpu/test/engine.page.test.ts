import { describePage } from './pages';

describePage('engine');

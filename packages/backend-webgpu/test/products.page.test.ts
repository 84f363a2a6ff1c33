import { describePage } from './pages';

describePage('products');

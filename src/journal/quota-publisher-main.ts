import { runPublisherThread } from './quota-publisher.ts';

runPublisherThread();

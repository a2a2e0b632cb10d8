import { runPublisherThread } from './quota-publisher-thread.ts';

runPublisherThread();

/** Content that the loop's terminals exchange in calls alone, so that every count of it is one of calls. */
export const CALL_CONTENT = 'video';

/** What is wrong with a catalogue whose every field is well-formed. */
export interface CatalogueFault {
  /** Keys and list indexes from the document's root. */
  path: readonly (string | number)[];
  message: string;
}

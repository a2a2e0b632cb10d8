import { type DocumentFault, type DocumentPath, formatPath } from '../../formats/document-fault.ts';
import type { Locate } from '../../formats/parse-yaml.ts';
import { faultsByLine, readYamlDocument } from '../../formats/read-yaml-document.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';
import type { NameOfPath } from './catalogue-evidence-faults.ts';
import { cataloguePartSchema } from './catalogue-part.ts';

/** Returns the text of a part by the name that the catalogue gives it, and its file's name in faults; or why it cannot be read. */
export type ReadPart = (name: string) => { file: string; text: string } | { problem: string };

/** Of a catalogue whose text is all that there is. */
export const noParts: ReadPart = () => ({ problem: 'cannot be read here: this catalogue was given without its parts' });

/** A part that an application is to have although the catalogue does not name it. */
export interface AddedPart {
  application: string;
  name: string;
}

/** A catalogue with the prefixes of its parts, and where each of these is. */
interface ExpandedCatalogue {
  /** Without the names of parts, as if all prefixes were in the catalogue itself. */
  document: CatalogueDocument;
  /** What is wrong with the parts. */
  faults: DocumentFault[];
  /** Gives faults of `document` the lines that they are in, of the catalogue or of a part. */
  place: (faults: readonly CatalogueFault[]) => DocumentFault[];
  /** Names a place of `document` in a message: by its path, and of a part by file and line, too. */
  nameOf: NameOfPath;
}

/** A part that was read: its prefixes are the application's from `first` on. */
interface PartPlace {
  application: number;
  first: number;
  end: number;
  file: string;
  locate: Locate;
}

/** Puts the prefixes of parts, and of the one that is added, behind the applications' own ones. */
export function expandParts(
  catalogue: CatalogueDocument,
  fileName: string,
  locate: Locate,
  readPart: ReadPart,
  added?: AddedPart,
): ExpandedCatalogue {
  const parts: PartPlace[] = [];
  const unreadable: CatalogueFault[] = [];
  const faults: DocumentFault[] = [];
  const applications = catalogue.applications.map(({ prefixFiles, ...application }, i) => {
    let { prefixes } = application;
    const names = [...(prefixFiles ?? []), ...(added?.application === application.id ? [added.name] : [])];
    for (const [at, name] of names.entries()) {
      const path = ['applications', i, 'prefixFiles', at];
      const found = names.indexOf(name) === at ? readPart(name) : { problem: 'is named twice' };
      if ('problem' in found) {
        unreadable.push({ path, message: `${name}: ${found.problem}` });
        continue;
      }
      const read = readYamlDocument(found.text, found.file, cataloguePartSchema);
      if (read.faults !== undefined) {
        faults.push(...read.faults);
        continue;
      }
      const { value } = read;
      if (value.application !== application.id) {
        const message = `is of application ${value.application}, and application ${application.id} names it in prefixFiles of ${fileName}`;
        faults.push(...faultsByLine([{ path: ['application'], message }], found.file, read.locate));
      }
      const first = prefixes.length;
      prefixes = [...prefixes, ...value.prefixes];
      parts.push({ application: i, first, end: prefixes.length, file: found.file, locate: read.locate });
    }
    return { ...application, prefixes };
  });
  return {
    document: { ...catalogue, applications },
    faults: [...faultsByLine(unreadable, fileName, locate), ...faults],
    place: (found) => placeFaults(found, parts, fileName, locate),
    nameOf: (path) => nameIn(parts, path) ?? formatPath(path),
  };
}

function placeFaults(
  faults: readonly CatalogueFault[],
  parts: readonly PartPlace[],
  fileName: string,
  locate: Locate,
): DocumentFault[] {
  const inPart = (part: PartPlace) =>
    faults.flatMap(({ path, message }) => {
      const inside = pathInside(part, path);
      return inside === null ? [] : [{ path: inside, message }];
    });
  const own = faults.filter(({ path }) => parts.every((part) => pathInside(part, path) === null));
  return [
    ...faultsByLine(own, fileName, locate),
    ...parts.flatMap((part) => faultsByLine(inPart(part), part.file, part.locate)),
  ];
}

/** Null for what is in no part. */
function nameIn(parts: readonly PartPlace[], path: DocumentPath): string | null {
  for (const part of parts) {
    const inside = pathInside(part, path);
    if (inside !== null) return `${part.file}:${part.locate(inside).line}: ${formatPath(inside)}`;
  }
  return null;
}

/** The path in the part's own document; null for what is not in it. */
function pathInside({ application, first, end }: PartPlace, path: DocumentPath): DocumentPath | null {
  const [list, i, field, at, ...rest] = path;
  const isInside = list === 'applications' && i === application && field === 'prefixes' && typeof at === 'number';
  return isInside && at >= first && at < end ? ['prefixes', at - first, ...rest] : null;
}

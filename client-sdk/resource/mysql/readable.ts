/**
 * Texts of images as people read them: letters from their bytes, bytes as PostgreSQL shows them,
 * instants as times. Pure. Only for people: nothing of it is ever written back.
 */
import { readingOf } from './image-columns.ts';

/** A text of an image of a column of this type. Never throws: what cannot be read stays bytes. */
export function readable(type: string, text: string): string {
  const reading = readingOf(type);
  switch (reading?.kind) {
    case 'letters':
      return lettersIn(text, reading.charset);
    case 'json':
      return lettersIn(text, 'utf8mb4');
    case 'bytes':
      return bytesIn(text);
    case 'choice': {
      const charset = / character set (\w+) /.exec(type)?.[1] ?? 'utf8mb4';
      return lettersIn(text.replace(/^[0-9]+:/, ''), charset);
    }
    case 'instant':
      return instantIn(text);
    default:
      return text;
  }
}

/** Names of the Encoding Standard for those of MySQL that are not spelled alike. */
const encodings: Readonly<Record<string, string>> = {
  ...{ ascii: 'utf-8', utf8: 'utf-8', utf8mb3: 'utf-8', utf8mb4: 'utf-8' },
  ...{
    latin1: 'windows-1252',
    latin2: 'iso-8859-2',
    latin5: 'windows-1254',
    latin7: 'iso-8859-13',
  },
  ...{ cp1250: 'windows-1250', cp1251: 'windows-1251', cp1256: 'windows-1256' },
  ...{ cp1257: 'windows-1257', cp866: 'ibm866', tis620: 'windows-874', macroman: 'macintosh' },
  ...{ greek: 'iso-8859-7', hebrew: 'iso-8859-8', koi8r: 'koi8-r', koi8u: 'koi8-u' },
  ...{ ucs2: 'utf-16be', utf16: 'utf-16be', utf16le: 'utf-16le' },
  ...{ gb2312: 'gbk', gbk: 'gbk', gb18030: 'gb18030', big5: 'big5' },
  ...{ sjis: 'shift_jis', cp932: 'shift_jis', ujis: 'euc-jp', eucjpms: 'euc-jp', euckr: 'euc-kr' },
};

function lettersIn(hex: string, charset: string): string {
  const encoding = Object.hasOwn(encodings, charset) ? encodings[charset] : undefined;
  if (encoding === undefined) return bytesIn(hex);
  try {
    const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
    return decoder.decode(Buffer.from(hex, 'hex'));
  } catch {
    return bytesIn(hex);
  }
}

function bytesIn(hex: string): string {
  return `\\x${hex.toLowerCase()}`;
}

/** `1700000000.5` as `2023-11-14 22:13:20.5+00`. */
function instantIn(seconds: string): string {
  const [whole = '', fraction] = seconds.split('.');
  const time = new Date(Number(whole) * 1_000);
  if (Number(seconds) === 0 || Number.isNaN(time.getTime())) return '0000-00-00 00:00:00';
  const text = time.toISOString().slice(0, 19).replace('T', ' ');
  return `${text}${fraction === undefined ? '' : `.${fraction}`}+00`;
}

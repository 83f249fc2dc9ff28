import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeText } from './decode-text.ts'

/** Encodes by trying every byte or pair of bytes in the decoder: there is no encoder for these. */
function encode(text: string, encoding: string): Uint8Array {
  const decoder = new TextDecoder(encoding)
  const table = new Map<string, number[]>()
  for (let high = 0x80; high < 0x100; high++) {
    for (let low = 0x40; low < 0x100; low++) table.set(decoder.decode(Uint8Array.of(high, low)), [high, low])
  }
  for (let byte = 0; byte < 0x100; byte++) table.set(decoder.decode(Uint8Array.of(byte)), [byte])
  return Uint8Array.from([...text].flatMap((character) => table.get(character) ?? [0x3f]))
}

describe('encodings without a mark are told by what the text looks like', () => {
  it.each([
    ['windows-1252', 'Le café d’été coûte 3 € – déjà payé à la gare.'],
    ['windows-1252', 'Die Prüfung der Straße ist für Mai geplant, schöne Grüße.'],
    ['windows-1251', 'Договор поставки оборудования заключён в Москве между сторонами.'],
    ['koi8-r', 'Договор поставки оборудования заключён в Москве между сторонами.'],
    ['shift_jis', '請求書の合計金額は十万円です。お支払いは今月末までにお願いします。'],
    ['euc-kr', '계약서의 총 금액은 십만 원이며 이번 달 말까지 지급하여야 한다.'],
    ['gb18030', '本合同的总金额为十万元，应当在本月底之前支付给供应商。'],
    ['big5', '本合約的總金額為十萬元，應該在這個月底之前支付給我們的公司。'],
    ['windows-1253', 'Η σύμβαση υπογράφηκε στην Αθήνα από τους δύο συμβαλλόμενους.'],
    ['windows-1255', 'החוזה נחתם בין הצדדים בעיר תל אביב בחודש מאי'],
  ])('%s: %s', (encoding, text) => {
    const decoded = decodeText(encode(text, encoding))
    expect(decoded?.text).toBe(text)
    expect(decoded?.isGuessed).toBe(true)
  })

  it('central European letters are not taken for western ones', () => {
    const text = 'Příliš žluťoučký kůň úpěl ďábelské ódy. Świadczenie usług księgowych.'
    expect(decodeText(encode(text, 'windows-1250'))?.text).toBe(text)
  })

  it('UTF-16 of either order', () => {
    const little = Buffer.from('Plain words in sixteen bits', 'utf16le')
    expect(decodeText(little)).toEqual({ text: 'Plain words in sixteen bits', encoding: 'utf-16le', isGuessed: true })
    expect(decodeText(Buffer.from(little).swap16())).toMatchObject({
      text: 'Plain words in sixteen bits',
      encoding: 'utf-16be',
    })
  })
})

describe('what the bytes state is not guessed', () => {
  it.each([
    [[0xef, 0xbb, 0xbf, 0x61], 'utf-8'],
    [[0xff, 0xfe, 0x61, 0x00], 'utf-16le'],
    [[0xfe, 0xff, 0x00, 0x61], 'utf-16be'],
  ])('byte order marks', (bytes, encoding) => {
    expect(decodeText(Uint8Array.from(bytes))).toEqual({ text: 'a', encoding, isGuessed: false })
  })

  it('valid UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const decoded = decodeText(Buffer.from(`x${text.replace(/[\0-\x08\x0e-\x1f\x7f]/g, '')} `))
        expect(decoded).toMatchObject({ encoding: 'utf-8', isGuessed: false })
      }),
    )
  })

  it('an encoding the file names, if its bytes are valid in it', () => {
    expect(decodeText(Uint8Array.of(0xe9, 0x20), 'iso-8859-7')).toMatchObject({ text: 'ι ', isGuessed: false })
    expect(decodeText(encode('déjà vu à l’été', 'windows-1252'), 'no-such-encoding')?.text).toBe('déjà vu à l’été')
  })
})

/** From the generator of Numerical Recipes, so that they are the same each time. */
function randomHighBytes(length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return 0x80 + (state >>> 25)
  })
}

describe('what is no text is not made text', () => {
  it.each([
    ['a PDF', Buffer.from('%PDF-1.7\nsome text')],
    ['a ZIP', Buffer.from('PK\x03\x04abcdefgh')],
    ['control characters', Uint8Array.from({ length: 400 }, (_, index) => index % 32)],
    ['EBCDIC', Uint8Array.from({ length: 300 }, (_, index) => (index % 6 === 0 ? 0x40 : 0x81 + (index % 9)))],
    ['random high bytes', randomHighBytes(600)],
  ])('%s', (_, bytes) => {
    expect(decodeText(bytes)).toBeNull()
  })

  it('a rare symbol in plain text does not make it unreadable', () => {
    expect(decodeText(Buffer.from('Add \xbd cup of sugar and stir.', 'latin1'))).toEqual({
      text: 'Add ½ cup of sugar and stir.',
      encoding: 'windows-1252',
      isGuessed: true,
    })
  })

  it('broken sequences in UTF-8 are replaced and reported', () => {
    const bytes = Buffer.concat([
      Buffer.from('Grüße aus Köln, schöne Tage für alle, größte Mühe überall, äöü ÄÖÜ ßßß äöü '),
      Buffer.of(0xc3),
    ])
    expect(decodeText(bytes)).toMatchObject({ encoding: 'utf-8', isGuessed: true })
  })
})

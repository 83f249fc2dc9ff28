/** Markdown (CommonMark's block structure and pipe tables) → blocks; inline marks are taken off the text. */

import type { FoundBlock } from '../block-writer.ts'
import { makeTableBlock, plainCell, TABLE_ROWS } from '../table-block.ts'
import { eachLine } from './plain-text.ts'
import { type TextFormat, textReader } from './read-text-document.ts'

export const readMarkdown = textReader(parseMarkdown)

/** Longer lines are taken as they are, so that no pattern meets a long text. */
const LONGEST_LINE = 10_000
const PARAGRAPH_LINES = 200

function parseMarkdown(text: string): TextFormat {
  const lines = [...eachLine(text)].map((line) => (line === '\f' ? '' : line))
  const facts: TextFormat['facts'] = { title: null, metadata: {} }
  const first = readFrontMatter(lines, facts)
  return { blocks: findBlocks(lines, first, facts), facts }
}

/** `key: value` lines between two lines of three dashes at the start; returns the line after them. */
function readFrontMatter(lines: readonly string[], facts: TextFormat['facts']): number {
  if (lines[0] !== '---') return 0
  const end = lines.slice(0, 200).indexOf('---', 1)
  if (end < 0) return 0
  for (const line of lines.slice(1, end)) {
    const [, key, value] = /^([A-Za-z][\w-]{0,40}):\s*(.{1,1000})$/.exec(line) ?? []
    if (key && value) facts.metadata[key.toLowerCase()] = value.replace(/^(['"])(.*)\1$/, '$2')
  }
  facts.title = facts.metadata.title ?? null
  return end + 1
}

function* findBlocks(lines: readonly string[], first: number, facts: TextFormat['facts']): Generator<FoundBlock> {
  for (let index = first; index < lines.length;) {
    if (lines[index]!.trim() === '') {
      index++
      continue
    }
    const { block, next } =
      readCode(lines, index) ??
      readHeading(lines, index) ??
      readTable(lines, index) ??
      readListItem(lines, index) ??
      readParagraph(lines, index)
    if (block.type === 'heading' && block.level === 1) facts.title ??= block.text
    if (block.text !== '') yield block
    index = next
  }
}

interface Found {
  block: FoundBlock
  /** Index of the line after the block. */
  next: number
}

function readCode(lines: readonly string[], index: number): Found | null {
  const fence = /^ {0,3}(`{3,}|~{3,})/.exec(lines[index]!.slice(0, 100))?.[1]
  if (!fence) return null
  let next = index + 1
  const content: string[] = []
  while (next < lines.length && !lines[next]!.trimStart().startsWith(fence)) content.push(lines[next++]!)
  return { block: { type: 'code', text: content.join('\n') }, next: next + 1 }
}

function readHeading(lines: readonly string[], index: number): Found | null {
  const line = lines[index]!
  if (line.length > LONGEST_LINE) return null
  const marks = /^ {0,3}(#{1,6})(?=\s|$)/.exec(line)
  if (marks) {
    const text = line
      .slice(marks[0].length)
      .trim()
      .replace(/(^|\s)#+$/, '')
    return { block: { type: 'heading', level: marks[1]!.length, text: plainInline(text) }, next: index + 1 }
  }
  const underline = /^ {0,3}(=+|-+)$/.exec((lines[index + 1] ?? '').slice(0, 500))?.[1]
  if (!underline || isBlockStart(lines, index)) return null
  return {
    block: { type: 'heading', level: underline.startsWith('=') ? 1 : 2, text: plainInline(line.trim()) },
    next: index + 2,
  }
}

/** The line of dashes below the header of a pipe table. */
function isTableRule(line: string | undefined): boolean {
  return line !== undefined && line.includes('|') && line.includes('-') && /^[|:\-\s]+$/.test(line)
}

function readTable(lines: readonly string[], index: number): Found | null {
  if (!lines[index]!.includes('|') || !isTableRule(lines[index + 1])) return null
  const rows = [splitRow(lines[index]!)]
  let next = index + 2
  while (next < lines.length && lines[next]!.includes('|') && rows.length < TABLE_ROWS)
    rows.push(splitRow(lines[next++]!))
  return {
    block: makeTableBlock(
      rows.map((row) => row.map(plainCell)),
      1,
    ),
    next,
  }
}

function splitRow(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '')
  return inner.split(/(?<!\\)\|/).map((cell) => plainInline(cell.replaceAll('\\|', '|').trim()))
}

const LIST_MARK = /^\s{0,40}(?:[-*+]|\d{1,9}[.)])\s+/

function readListItem(lines: readonly string[], index: number): Found | null {
  const line = lines[index]!
  const mark = LIST_MARK.exec(line)?.[0]
  if (mark === undefined || isRule(line)) return null
  const number = /\d+[.)]/.exec(mark)?.[0]
  const content = [(number ? `${number} ` : '') + line.slice(mark.length)]
  const next = takeLines(lines, index + 1, content)
  return { block: { type: 'list_item', text: plainInline(content.join('\n')) }, next }
}

function readParagraph(lines: readonly string[], index: number): Found {
  if (isRule(lines[index]!)) return { block: { type: 'paragraph', text: '' }, next: index + 1 }
  const content = [withoutQuoteMark(lines[index]!)]
  const next = takeLines(lines, index + 1, content)
  return { block: { type: 'paragraph', text: plainInline(content.join('\n')) }, next }
}

/** Takes lines up to a blank one or the start of another block. */
function takeLines(lines: readonly string[], from: number, content: string[]): number {
  let next = from
  while (
    next < lines.length &&
    content.length < PARAGRAPH_LINES &&
    lines[next]!.trim() !== '' &&
    !isBlockStart(lines, next)
  ) {
    content.push(withoutQuoteMark(lines[next++]!))
  }
  return next
}

function isBlockStart(lines: readonly string[], index: number): boolean {
  const line = lines[index]!.slice(0, 100)
  return /^ {0,3}(#{1,6}(\s|$)|`{3}|~{3})/.test(line) || LIST_MARK.test(line) || isTableRule(lines[index + 1])
}

function isRule(line: string): boolean {
  const marks = line.replace(/\s/g, '')
  return marks.length >= 3 && (/^-+$/.test(marks) || /^\*+$/.test(marks) || /^_+$/.test(marks))
}

function withoutQuoteMark(line: string): string {
  return line.replace(/^\s*(?:>\s?){1,10}/, '').trim()
}

/** Takes off emphasis, code marks, links and images; keeps what is shown. Every pattern is bounded. */
export function plainInline(text: string): string {
  if (text.length > LONGEST_LINE || !/[*_`[\]\\<]/.test(text)) return text
  return text
    .replace(/!?\[([^[\]]{0,300})\]\([^()\s]{0,500}(?: "[^"]{0,200}")?\)/g, '$1')
    .replace(/<(https?:[^<>\s]{1,500})>/g, '$1')
    .replace(/(?<!\\)(\*\*|__)(?=\S)([^*_]{1,300})(?<!\\)\1/g, '$2')
    .replace(/(?<![\w*\\])([*_])(?=\S)([^*_\n]{1,300})(?<!\\)\1(?![\w*])/g, '$2')
    .replace(/`([^`]{1,300})`/g, '$1')
    .replace(/\\([!-/:-@[-`{-~])/g, '$1')
}

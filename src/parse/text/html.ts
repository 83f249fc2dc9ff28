/** HTML → blocks. Nothing is fetched, no style is looked at; scripts, styles and templates are dropped. */

import type { BlockType } from '../../core/index.ts'
import type { FoundBlock } from '../block-writer.ts'
import { cleanText, collapseSpace } from '../clean-text.ts'
import { createHtmlTable, type HtmlTable } from './html-table.ts'
import { type HtmlToken, htmlTokens } from './html-tokens.ts'
import { type TextFormat, textReader } from './read-text-document.ts'

/** `charset` of a meta element in the first bytes (HTML Living Standard, prescan). */
function declaredCharset(head: string): string | null {
  return /<meta[^>]{0,200}charset\s{0,5}=\s{0,5}["']?([\w:-]{1,40})/i.exec(head)?.[1] ?? null
}

export const readHtml = textReader(parseHtml, declaredCharset)

const DROPPED = new Set([
  'script',
  'style',
  'template',
  'svg',
  'noscript',
  'iframe',
  'object',
  'math',
  'select',
  'textarea',
  'noframes',
])
const BLOCKS = new Set([
  'address',
  'article',
  'aside',
  'blockquote',
  'body',
  'center',
  'dd',
  'details',
  'dialog',
  'div',
  'dl',
  'dt',
  'fieldset',
  'figcaption',
  'figure',
  'footer',
  'form',
  'head',
  'header',
  'hgroup',
  'hr',
  'html',
  'legend',
  'li',
  'main',
  'menu',
  'nav',
  'ol',
  'p',
  'pre',
  'search',
  'section',
  'summary',
  'ul',
  'caption',
  'option',
])
const LONGEST_BLOCK = 1_000_000
const DEEPEST_LIST = 100

/** Where the walk through the tokens stands. */
interface HtmlState {
  facts: TextFormat['facts']
  /** Finished blocks that nobody has taken yet. */
  ready: FoundBlock[]
  /** Text of the block that is open, its kind, and its level if it is a heading. */
  pieces: string[]
  units: number
  type: BlockType
  level: number
  /** Name of the dropped element we are inside of, and how deep in elements of the same name. */
  dropped: string
  droppedDepth: number
  isPreformatted: boolean
  isTitle: boolean
  /** Next number of each open ordered list; 0 for lists without numbers. */
  lists: number[]
  table: HtmlTable | null
}

function parseHtml(html: string): TextFormat {
  const facts: TextFormat['facts'] = { title: null, declaredLanguage: null, metadata: {} }
  return { blocks: findBlocks(html, facts), facts }
}

function* findBlocks(html: string, facts: TextFormat['facts']): Generator<FoundBlock> {
  const state: HtmlState = {
    facts,
    ready: [],
    pieces: [],
    units: 0,
    type: 'paragraph',
    level: 0,
    dropped: '',
    droppedDepth: 0,
    isPreformatted: false,
    isTitle: false,
    lists: [],
    table: null,
  }
  for (const token of htmlTokens(html)) {
    takeToken(state, token)
    if (state.ready.length > 0) {
      yield* state.ready
      state.ready = []
    }
  }
  endTable(state)
  endBlock(state)
  yield* state.ready
}

function takeToken(state: HtmlState, token: HtmlToken): void {
  if (state.dropped !== '') trackDropped(state, token)
  else if (token.kind === 'text') addText(state, token.text)
  else if (token.kind === 'open') openElement(state, token.name, token.attributes)
  else closeElement(state, token.name)
}

function trackDropped(state: HtmlState, token: HtmlToken): void {
  if (token.kind === 'text' || token.name !== state.dropped) return
  state.droppedDepth += token.kind === 'open' ? 1 : -1
  if (state.droppedDepth === 0) state.dropped = ''
}

function addText(state: HtmlState, text: string): void {
  if (state.units > LONGEST_BLOCK) endBlock(state)
  state.pieces.push(text)
  state.units += text.length
}

function openElement(state: HtmlState, name: string, attributes: Record<string, string>): void {
  if (DROPPED.has(name)) {
    state.dropped = name
    state.droppedDepth = 1
  } else if (name === 'title') {
    endBlock(state)
    state.isTitle = true
  } else if (name === 'html') state.facts.declaredLanguage = attributes.lang ?? null
  else if (name === 'meta') takeMeta(state, attributes)
  else if (name === 'br') addText(state, state.table ? ' ' : '\u2028')
  else if (state.table) openInTable(state, state.table, name, attributes)
  else if (name === 'table') {
    endBlock(state)
    state.table = createHtmlTable()
  } else if (BLOCKS.has(name) || headingLevel(name) > 0) openBlock(state, name, attributes)
}

function openBlock(state: HtmlState, name: string, attributes: Record<string, string>): void {
  endBlock(state)
  state.level = headingLevel(name)
  if (state.level > 0) state.type = 'heading'
  else if (name === 'pre') {
    state.type = 'code'
    state.isPreformatted = true
  } else if (name === 'figcaption' || name === 'caption') state.type = 'caption'
  else if ((name === 'ol' || name === 'ul' || name === 'menu') && state.lists.length < DEEPEST_LIST) {
    state.lists.push(name === 'ol' ? Number.parseInt(attributes.start ?? '1', 10) || 1 : 0)
  } else if (name === 'li') openListItem(state)
}

/** Browsers show the number of an item though it is not in the text; bullets are left to whoever renders. */
function openListItem(state: HtmlState): void {
  state.type = 'list_item'
  const number = state.lists.at(-1) ?? 0
  if (number === 0) return
  state.pieces.push(`${number}. `)
  state.lists[state.lists.length - 1] = number + 1
}

function headingLevel(name: string): number {
  return name.length === 2 && name[0] === 'h' && name[1]! >= '1' && name[1]! <= '6' ? Number(name[1]) : 0
}

function takeMeta(state: HtmlState, attributes: Record<string, string>): void {
  const name = (attributes.name ?? attributes.property ?? '').toLowerCase()
  const content = collapseSpace(cleanText(attributes.content ?? ''))
  if (['author', 'description', 'keywords', 'generator', 'date'].includes(name) && content !== '')
    state.facts.metadata[name] ??= content
}

function openInTable(state: HtmlState, table: HtmlTable, name: string, attributes: Record<string, string>): void {
  if (name === 'td' || name === 'th') {
    takeCell(state, table)
    table.openCell(name === 'th', attributes)
  } else if (name === 'tr') {
    takeCell(state, table)
    const full = table.openRow()
    if (full) state.ready.push(full)
  } else if (name === 'table') table.depth++
  else if (name === 'caption' || BLOCKS.has(name)) addText(state, ' ')
}

/** The text since the last cell began belongs to that cell; text between cells stands before the table, as browsers do. */
function takeCell(state: HtmlState, table: HtmlTable): void {
  const text = collapseSpace(cleanText(state.pieces.join('')))
  state.pieces = []
  state.units = 0
  if (!table.closeCell(text) && text !== '') state.ready.push({ type: 'caption', text })
}

function closeElement(state: HtmlState, name: string): void {
  if (name === 'title') endTitle(state)
  else if (state.table) closeInTable(state, state.table, name)
  else if (BLOCKS.has(name) || headingLevel(name) > 0) {
    endBlock(state)
    if (name === 'ol' || name === 'ul' || name === 'menu') state.lists.pop()
  }
}

function closeInTable(state: HtmlState, table: HtmlTable, name: string): void {
  if (name === 'td' || name === 'th' || name === 'tr' || name === 'caption') takeCell(state, table)
  else if (name === 'table' && table.depth > 0) table.depth--
  else if (name === 'table') endTable(state)
  else if (BLOCKS.has(name)) addText(state, ' ')
}

function endTable(state: HtmlState): void {
  if (!state.table) return
  takeCell(state, state.table)
  const block = state.table.finish()
  if (block) state.ready.push(block)
  state.table = null
}

function endTitle(state: HtmlState): void {
  if (!state.isTitle) return
  state.isTitle = false
  const title = collapseSpace(cleanText(state.pieces.join('')))
  state.pieces = []
  state.units = 0
  state.facts.title ??= title === '' ? null : title
}

/** Ends the open block; white space is collapsed as browsers do, but for preformatted text and line breaks. */
function endBlock(state: HtmlState): void {
  const raw = cleanText(state.pieces.join(''))
  const text = state.isPreformatted
    ? raw.replaceAll('\u2028', '\n').replace(/\r\n?/g, '\n').replace(/^\n/, '').trimEnd()
    : raw
        .split('\u2028')
        .map(collapseSpace)
        .filter((line) => line !== '')
        .join('\n')
  const isMark = state.type === 'list_item' && /^\d+\.$/.test(text)
  if (text.trim() !== '' && !isMark) {
    state.ready.push(state.level > 0 ? { type: 'heading', level: state.level, text } : { type: state.type, text })
  }
  state.pieces = isMark ? [`${text} `] : []
  state.units = 0
  if (isMark) return
  state.type = 'paragraph'
  state.level = 0
  state.isPreformatted = false
}

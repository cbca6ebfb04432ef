// Rules of oxlint for the words of this repository. `plainWords` is used for the pages of the documentation too.

/** Words that open a question or a fragment. A doc comment opens with a noun phrase or a verb in the third person. */
const QUESTION = /^(?:what|whatever|whether|how|of|by|who|whoever|whose|where|when|which|why|those|so|to|or)\b/i
/** Opening of a doc comment, past its mark and the tags that stand alone. */
const OPENING = /^\*\s*(?:\*\s*)?(?:@internal\s+)?(\S+)/
/** Openings of a test's title that leave it a fragment, also after the titles around it. */
const FRAGMENT = /^(?:what|whatever|who|whoever|whose|where|however|but|and|or)\b/i

/** Words that read as translated, each with the words of the field for it. */
const UNUSUAL = [
  [/\btell(?:s|ing)?\b|\btold\b/i, 'report, log, name, print, show or distinguish'],
  [/\bmend(?:s|ed|ing)?\b/i, 'repair or fix'],
  [/\bbur(?:y|ies|ied|ying)\b/i, 'make a dead letter'],
  [/\bbeside\b/i, 'compared with, next to, with or in addition to'],
  [/\b(?:go|goes|going|went|gone) on (?!a\b|the\b)/i, 'continue or resume'],
  [/\bso (?:many|long)\b/i, 'a number of, until, this long'],
  [/\bby himself\b/i, 'by itself'],
  [/\bfor as long as\b/i, 'while, until, as long as'],
  [/\b(?:a|each|the same) text\b|\btexts (?:of|that|as|in|are|beyond)\b/i, 'string'],
]

/** Finds unusual words in a piece of prose; returns a message for each. */
export function plainWords(prose) {
  return UNUSUAL.flatMap(([words, better]) => {
    const found = words.exec(prose)
    return found ? [`"${found[0].trim()}" reads as translated: ${better}`] : []
  })
}

const docOpening = {
  create(context) {
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          const [, word = ''] = (comment.type === 'Block' && OPENING.exec(comment.value)) || []
          if (!QUESTION.test(word)) continue
          const message = `a doc comment opens with "${word}": open with a noun phrase or a verb in the third person`
          context.report({ message, loc: comment.loc })
        }
      },
    }
  },
}

const plain = {
  create(context) {
    const check = (text, { loc }) => {
      for (const message of plainWords(text)) context.report({ message, loc })
    }
    // A string of one word is a name or data.
    const checkString = (text, node) => {
      if (/\w \w/.test(text)) check(text, node)
    }
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) check(comment.value, comment)
      },
      Literal(node) {
        if (typeof node.value === 'string') checkString(node.value, node)
      },
      TemplateElement: (node) => checkString(node.value.raw, node),
    }
  },
}

const testTitle = {
  create(context) {
    return {
      CallExpression(node) {
        const [title] = node.arguments
        if (!isTest(node.callee) || title?.type !== 'Literal' || typeof title.value !== 'string') return
        const [word] = FRAGMENT.exec(title.value) ?? []
        if (word === undefined) return
        context.report({ message: `the title of a test opens with "${word}": write a whole sentence`, loc: title.loc })
      },
    }
  },
}

/** True for `test`, `describe` and calls such as `test.each([…])` and `describe.skipIf(…)`. */
function isTest(callee) {
  if (callee.type === 'Identifier') return ['test', 'describe'].includes(callee.name)
  if (callee.type === 'CallExpression') return isTest(callee.callee)
  return callee.type === 'MemberExpression' && isTest(callee.object)
}

export default { meta: { name: 'words' }, rules: { 'doc-opening': docOpening, plain, 'test-title': testTitle } }

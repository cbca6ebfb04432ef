// Rules of oxlint for the words of this repository.

/** Words that open a question or a fragment. A doc comment opens with a noun phrase or a verb in the third person. */
const QUESTION = /^(?:what|whatever|whether|how|of|by|who|whoever|whose|where|when|which|why|those|so|to|or)\b/i
/** Opening of a doc comment, past its mark and the tags that stand alone. */
const OPENING = /^\*\s*(?:\*\s*)?(?:@internal\s+)?(\S+)/

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

export default { meta: { name: 'words' }, rules: { 'doc-opening': docOpening } }

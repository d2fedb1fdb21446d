// Asks an IAM evaluator. Reads one JSON array of simulations from standard input, and writes one array of answers:
// {"result": "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied", "statements": [the Sids that allowed it]}, or {"errors": …}.
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const answers = []
for (const simulation of JSON.parse(readFileSync(0, 'utf8'))) {
  const answer = await runSimulation(simulation, {})
  if (answer.resultType === 'error') {
    answers.push({ errors: answer.errors })
    continue
  }
  const results = answer.resultType === 'single' ? [answer.result] : answer.results
  const statements = results.flatMap(({ analysis }) =>
    [analysis?.identityAnalysis, analysis?.resourceAnalysis]
      .flatMap((policies) => policies?.allowStatements ?? [])
      .map(({ explain }) => explain.identifier)
  )
  answers.push({ result: answer.overallResult, statements: [...new Set(statements)] })
}
process.stdout.write(JSON.stringify(answers))

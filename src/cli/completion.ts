import { Argument, type Command } from 'commander';

const SHELLS = ['bash', 'zsh'] as const;

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in bash or zsh')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(zerorate completion bash)                  # in ~/.bashrc
  $ source <(zerorate completion zsh)                   # in ~/.zshrc, after compinit`,
    )
    .action((shell: (typeof SHELLS)[number]) => {
      process.stdout.write(completionScript(program, shell));
    });
}

/** Returns the script: a word is completed to the subcommands and options of the commands before it, or to a file name. */
export function completionScript(program: Command, shell: (typeof SHELLS)[number]): string {
  const name = program.name();
  const cases = wordsOf(program, '').map(([path, words]) => `    '${path}') words='${words}' ;;`);
  return `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_${name}() {
  local word path='' words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) [[ " $(_${name}_words "$path") " == *" $word "* ]] && path="$path $word" ;; esac
  done
  COMPREPLY=($(compgen -W "$(_${name}_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
_${name}_words() {
  local words=''
  case "$1" in
${cases.join('\n')}
  esac
  printf '%s' "$words"
}
complete -o default -F _${name} ${name}
`;
}

/** The words that can follow each path of commands: ` account` -> its subcommands and options. */
function wordsOf(command: Command, path: string): [path: string, words: string][] {
  const options = command.options.map(({ long }) => long).filter((long) => long !== undefined);
  const names = command.commands.map((each) => each.name());
  return [
    [path, [...names, ...options, '--help'].join(' ')],
    ...command.commands.flatMap((each) => wordsOf(each, `${path} ${each.name()}`)),
  ];
}

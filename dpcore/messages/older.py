"""What older versions have stored as plain English sentences: found in them again, so that it can be translated.

The list is as it was when the store began to keep keys (see `dpcore.messages`); nothing is added. What is not in it, as
an error of another library, is shown as it stands.
"""

import functools
import re
import string

from dpcore.language import N_, Message, sentences

_OF_RUNS = (  # how runs ended, and what they were about
    N_("The worker was ended by the signal {signal}, most likely for want of memory or by a person."),
    N_("The worker is gone (killed, or a restart)."),
    N_("The worker had hung: nothing was heard of it for minutes, and it was ended."),
    N_("The worker was ended by the signal {signal}."),
    N_("The worker ended with exit code {code}."),
    N_("All rounds up to {round} are kept."),
    N_("Stopped after the minutes that a visitor's run may train on this dashboard"),
    N_("The worker was asked to end, as when the machine shuts down. Nothing is lost."),
    N_("Reading the data"),
    N_("Starting TensorFlow (some seconds)"),
    N_("Its worker is gone (killed, or the machine restarted). What it has done is kept: resume it."),
    N_("Expected a run that is {states}, found {run} {status}. It cannot be resumed."),
    N_(
        "TFF's worker process listens on all network interfaces and runs what anybody sends it. It should run in "
        "a private network namespace, which this system does not allow ({reason}). Use a machine that nobody else"
        " can reach, or the engine vectorized, which opens no port."
    ),
    N_("Diverged: the loss is not finite in round {number}. Less noise per client or a smaller step may help."),
    N_(
        "Diverging: the loss is {last:.3f} in round {number}, after {best:.3f} in round {best_at}. Less noise per"
        " client (more clients, a lower multiplier) or a smaller step may help."
    ),
    N_(
        "Expected round {number} to come out as it did before the interruption, and it did not: another machine, "
        "or another version of TensorFlow or of this program, rounds otherwise. Going on would release the round "
        "a second time. Start the plan as a new run."
    ),
    N_("Free some space, close what locks it, or choose another folder with EPSILON_LAB_HOME or --home."),
    N_("Start the program again: it sets a damaged file aside and keeps what can be read."),
    N_("{file} cannot be used as the file of runs: {reason}. {advice}"),
    N_("The data set in {folder} was written by another version. Make or import it again."),
    N_("The data set in {folder} cannot be read: {reason}"),
    N_("{file} is not what was written there."),
    N_("The data set in {folder} cannot be opened: {reason}"),
    N_(
        "The data set could not be written to {folder}: {reason}. Free some room, or choose another folder with "
        "EPSILON_LAB_HOME or --home."
    ),
    N_("{problem} Remove {name} and import it again."),
    N_("Expected {name} to be a whole number in {interval}, found {value}."),
    N_("Expected {name} to be a number in {interval}, found {value}."),
    N_("Expected {name} to be one of {choices}, found {value}."),
    N_("Expected at least 1 round to train, found 0."),
)
_OF_STUDIES = (  # why a study did not go on
    N_("A run on it has left no guarantee (see the ledger)."),
    N_(
        "Expected all runs on {dataset} together to spend at most epsilon {allowed} at delta {delta}; with this "
        "one they would spend {total}."
    ),
    N_(
        "Expected all runs on {dataset} together to spend at most epsilon {allowed} at delta {delta}; with these "
        "{count} they would spend {total}."
    ),
    N_("Train fewer rounds, with more noise, or raise the budget."),
    N_("It is trained without noise."),
    N_("It zeroes outlying updates, and that threshold follows the updates without noise."),
    N_("Its clip norm was so low that it bounded nothing."),
    N_(
        "Expected {field} to be at most {most:,} on this shared dashboard, found {found:,}. Lower it, or ask "
        "whoever runs the dashboard."
    ),
    N_(
        "Expected at most {most} runs of one visitor to wait or train at a time, found {own} and {new} more. Wait"
        " for one to end, stop one, or ask for fewer."
    ),
    N_(
        "Expected at most {most} runs of all visitors to wait or train, found {found}. Come back when some have "
        "ended."
    ),
    N_(
        "Expected at least {least:.0f} GB of free disk for a visitor's run, found {found:.1f} GB. Ask whoever "
        "runs the dashboard to make room."
    ),
    N_(
        "Expected whoever runs this dashboard, found a visitor: {what} is done at the machine's command line. Ask"
        " them for it."
    ),
    N_("Expected a visitor that is known, found none. Sign in, or let your browser keep this page's cookies."),
    N_(
        "Expected a data set that visitors may train on ({names}), found {name}. Choose one of them, or ask "
        "whoever runs the dashboard."
    ),
    N_("fetching the data set {name}"),
    N_(
        "Expected a run that has trained for less than {most} minutes, found {run} with {found:.0f}. What it has "
        "learnt is kept: ask whoever runs the dashboard, or run a plan with fewer rounds."
    ),
    N_("Expected at most {most} studies of one visitor, found {found}. Look at one of them."),
    N_(
        "Expected at most {most} studies of one visitor to go on at a time, found {found}. Pause one, or wait for"
        " it."
    ),
    N_(
        "Expected noise_to_clients_ratio to be below {most}, found {ratio}: adaptive clipping spends part of the "
        "noise on its own count. Lower the ratio, or use fixed clipping."
    ),
    N_(
        "Expected noise_to_clients_ratio of at least {least} for {population:,} users, found {ratio}: less noise "
        "protects nobody. Raise the ratio."
    ),
    N_(
        "even with all {population:,} users in each of {rounds:,} rounds at a ratio of {ratio}. Raise the target "
        "or the ratio, or train fewer rounds"
    ),
    N_(
        "even with the {fewest:,} clients a round that this noise needs at least. Raise the target or the noise, "
        "or train fewer rounds"
    ),
    N_("even with noise {most:g}, the most there may be. Raise the target, or train fewer rounds"),
    N_(
        "even with the most noise that adaptive clipping leaves room for at {clients:,} clients per round. Raise "
        "the target or the clients, train fewer rounds, or use fixed clipping"
    ),
    N_("even in a single round. Raise the target or the noise"),
    N_("at any delta. Raise the target or the noise, or train fewer rounds"),
    N_("even with {most:,} users. Raise the target or the noise, or train fewer rounds"),
    N_("at delta 0, with whatever noise. Raise delta"),
    N_("Expected target_epsilon of at least {lowest}, found {target}: that is the least, {advice}."),
)
_OF_FILES = (  # what became of a damaged file of runs
    N_("Runs read back from their folders, with what they have spent: {count}."),
    N_("Runs that can be read nowhere, so that nothing is guaranteed any more: {count}."),
    N_("Folders whose note of their run was damaged, and is written anew: {count}."),
    N_("The file of runs was damaged; it is kept as {file}."),
    N_("The file of runs was lost."),
    N_("The file of runs was not as it had been left."),
    N_("Rounds that could be read of it: {count}."),
    N_("What was decided about the budget or the public mark was read back for: {names}."),
    N_(
        "What was decided about budgets and public marks is lost: until it is decided anew on the Ledger, every "
        "budget is 0 and nothing is public."
    ),
    N_("Every budget and public mark is as it was."),
    N_("Read back from its folder: the file of runs did not have it any more."),
)
_OF_DATA = (  # where data sets came from, and what was noticed of them
    N_("Generated from the scanned digits that scikit-learn ships"),
    N_("Federated EMNIST as TensorFlow Federated publishes it"),
    N_("Users without examples to train on: {users:,}."),
    N_("Users without examples to test on: {users:,}."),
    N_("Rows without a user, which were left out: {rows:,}."),
    N_("Rows without a label, which were left out: {rows:,}."),
    N_(
        "User ids are floating-point numbers so large that several may have become one: save them as whole "
        "numbers or as text."
    ),
    N_("If they are the same, remove the data set and import it again with join user."),
    N_(
        "Classes that may be the same in other spellings: {classes}. If they are, remove the data set and import "
        "it again with join label."
    ),
    N_("Users that may be the same people in other spellings: {users}. Who has two ids is protected as two."),
    N_(
        "{users:,} users are few: user-level privacy with a useful model takes thousands, because the noise does "
        "not shrink with their number."
    ),
    N_("Users with one example, which is for training or for testing: {users:,}."),
    N_("Classes that one user owns alone, so that the list of classes tells of that user: {classes}."),
    N_("Nobody trains on class {name}."),
    N_("{share:.0%} of the training examples are of class {name}: a model that says nothing else is as accurate."),
    N_("{share:.2%} of the values lay outside the bounds and were clipped to them."),
    N_(
        "Column {column} has {users:,} values in {rows:,} rows. Does it say whose a row is, and not of which group?"
    ),
    N_("all examples of {share:.3g} of the users for testing, by seed {seed}"),
    N_("test examples by {column}"),
    N_("{share:.3g} of each user's examples for testing, by seed {seed}"),
    N_("The table {file}: users by {user}, classes by {label}; {testing}"),
    N_(
        "The table {file}: users by {user}, classes by {label}; at most {most} examples a user, by seed {seed}; "
        "{testing}"
    ),
    N_(
        "Arrays of {axes} may have their channels first or last: they are taken for images of {shape} (height x "
        "width x channels)."
    ),
    N_("Arrays of {axes} have their channels first: they were moved to the end, which makes images of {shape}."),
    N_(
        "Arrays of {axes} are taken for rows of numbers, not for images. If they are images, say so by the image "
        "shape: height x width, or height x width x channels."
    ),
    N_("Features that are the same in every training example: {names}."),
    N_("Of the {total:,} numbers in column {name}, {count:,} are the same in every training example."),
    N_("Numbers were read with a comma before their decimals: 1,5 is one and a half."),
    N_("Examples that the split column calls {words} are for testing, like those that it calls test."),
    N_("Column {column} does not say what its values mean: {no} is taken for training, {yes} for testing."),
)


class _AsWritten(str):
    """What filled a place of an old sentence: it was written as that place says."""

    def __format__(self, spec: str) -> str:
        return str(self)


@functools.lru_cache(1000)
def read(text: str) -> str:
    """Returns an old text as the message that it was, in as many sentences as are known; else as it is."""
    for end in [len(text), *(found.start() + 1 for found in reversed([*re.finditer(r"\. ", text)]))]:
        if known := _known(text[:end]):
            return sentences(known, read(text[end:].strip()))
    what, colon, rest = text.partition(": ")
    known = _known(what)
    places = {"what": known, "rest": rest}
    return Message("{what}: {rest}", "{what}: {rest}", {}).format(**places) if known and colon else text


def _known(text: str) -> str:
    """Returns the message that a text is; empty if it is none."""
    for key, pattern in _patterns():
        if found := pattern.fullmatch(text):
            told = {name: read(value) for name, value in found.groupdict().items()}
            return Message(
                text,
                key,
                {name: one if isinstance(one, Message) else _AsWritten(one) for name, one in told.items()},
            )
    return ""


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The sentences with what fits each; those that say most come first."""
    found = []
    for key in (*_OF_RUNS, *_OF_STUDIES, *_OF_FILES, *_OF_DATA):
        pattern, said, known = "", 0, set[str]()
        for words, name, spec, _conversion in string.Formatter().parse(key):
            pattern, said = pattern + re.escape(words), said + len(words)
            if name:
                fits = r"\S" if spec else r"(?!\. )."  # a number, or what is in one sentence
                pattern += f"(?P={name})" if name in known else f"(?P<{name}>(?:{fits})+?)"
                known.add(name)
        found.append((said, str(key), re.compile(pattern, re.DOTALL)))
    return [(key, pattern) for _said, key, pattern in sorted(found, key=lambda one: -one[0])]

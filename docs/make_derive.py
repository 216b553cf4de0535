"""Writes docs/derive.md: `make derive`. Its examples are programs of the tests, each is run and its backward pass derived."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.doctor.derive.derive import derive
from engine.doctor.derive.derived import Derived
from engine.doctor.derive.lesson.hints import MOST, hint
from engine.doctor.derive.lesson.outline import outline
from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.source import read_source
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile

PAGE = Path(__file__).with_name("derive.md")
PROGRAMS = Path(__file__).parents[1] / "tests/engine/doctor/derive/programs"
EXAMPLES = {
    "many_to_one.py": "A script: many-to-one, the batch at once, a state that each step overwrites",
    "karpathy_style.py": "A function with dictionaries by step, one character after the other",
    "column_caches.py": "Functions with caches, a sample a column",
}
HEAD = """\
# The missing backward pass

`rnn-tui derive mine.py` writes the backward pass that belongs to your own forward pass: plain NumPy, in your names and layout, each line
with its shape and why. `-o NEW.py` writes your program with it in place. Your file is never changed.

* It comes from your own lines: each is differentiated by the rules that one uses on paper, loops run backwards, and what is used at several
  places adds up. What the forward pass does not keep and the backward pass needs is said: a line to add, and after which.
* It is proved by your own run: the program is run with the derived lines in it, and every gradient compared with the loss carried back
  over the record of the run, as `rnn-tui doctor` does ([what it runs](doctor-run.md)). What does not agree to 1e-9 of an array's norm
  is not printed. Each line on the way is looked up in that record, too: in every round it makes dL/d(a value), a share of it or a sum of
  shares, but for a few steps (a part of a gradient, the short form before it is divided). A line that cannot be differentiated is named,
  with the reason.
* Where each step has an object of its own, a cell or an activation in a list, `cells[t].h` is read as `hs[t]` would be, and the class gets
  a method that goes back. Where all weights are parts of one vector, their gradients are parts of one like it.
* A branch that is taken both ways is gone back through by the same test; a `while` loop that counts, up or down, is a loop over
  its count. What goes through functions and classes of other files of the program is followed there: each line is told by its file,
  and `-o` writes one file of them all.
* Where each sample goes through a function that makes its states anew, it is called again before its round is gone back through.
  Weights may be entries of a list, `Wx, Wh, b = self.params`, or of the objects in one, `cells[layer].Wh`; a loop over layers that are
  unlike goes back layer by layer. A function that is held, `self.activation(z)`, is the one that the run saw there. With `np.matrix`
  the lines say `np.multiply`.
* A program that does not run yet is repaired in memory first, and the repairs are said; `-o` waits until they are written.
* Where no loss is computed it is taken from the first difference of outputs and targets and said, or `--loss` says it: `cross-entropy`,
  `binary`, `squared`, or an expression of the program's names, as `--loss 'np.mean((y_hat - Y) ** 2)'`. It takes the place of a loss that
  the program has. An expression stands in the innermost block where all its names are known, so in each epoch; where it reads what a round
  of a loop goes over, as `Y[t]`, it is added up over the rounds.
* Where your forward pass is in functions, its backward pass is: `rnn_backward` beside `rnn_forward`, a method `backward` for a method
  `forward`, given dL/d of what the function returns and what it must know of the forward pass. Calls of one or two lines are carried back
  where they stand, and a script stays a script.
* Of a file that only defines functions, or with `--function NAME`, a function is called with arguments that are made up. Where it computes
  no loss, its backward function is given dL/d of what it returns; what it returns without a name is to get one, and what its backward
  function must know is returned too, or kept on the object.
* At the output softmax with cross-entropy, sigmoid with binary cross-entropy and the squared error take the short form, p - y with the
  factor of the loss: also where a loop puts the outputs into an array and the loss reads them behind it. Of several losses that a program
  computes it is one that is not called after a measure, as `error` or `mse` are.
* Gradients that the program has already and that are right are used as they are. Those that are not are named, and the derived lines stand
  in their place: lines that make nothing else are left out, and where one call or loop makes and uses all gradients it gives way to the
  lines and their updates. The program with them is run, and each of its steps compared. Where the own backward pass leaves no place, `-o`
  says so.
* The updates take the program's own learning rate, by its name or as its own updates write it; where it has none, a line says so.
* Of a notebook `-o NEW.ipynb` writes a notebook: its cells with the lines in their place, told by cell and line; what changed cells had
  printed is left out.
* A program in single precision is proved in double: rounding would hide what does not agree.
* As a lesson: `--outline` gives the order of steps with shapes and no code. `--hint 1` says which quantity is the first that is wrong or
  missing, `--hint 2` what feeds it, `--hint 3` asks for its rule, `--hint 4` gives its line. In the app `m` shows below each forward line
  what carries its gradient back, and runs the program with the pass in its place: one steps into it, and enter takes its numbers apart. `m`
  again leaves it.

Exit code 0 derived, 1 part of it is left open and named, 2 nothing was derived. Part of it is open, too, where one function of a file was
derived and others have weights of their own. The file is run with your rights, on a copy.

This page is made by `make derive`.
"""
PROGRAMS_OF_OTHERS = (
    ("eliben/deep-learning-samples", "26e866b5c42f", "min-char-rnn/min-char-lstm.py", "LSTM, characters", "whole"),
    ("erikvdplas/gru-rnn", "958f185ef69d", "main.py", "GRU, characters", "whole"),
    ("peeyushaga/min-char-rnn", "245c1cc872a1", "min-char-rnn.py", "simple, characters", "whole"),
    ("RihaChri/Simple-RNN-from-scratch", "7e659c0fda72", "RNN.py", "columns with caches", "whole"),
    (
        "THOTHSM/RNN-Scratch",
        "114735a53755",
        "RNN.py",
        "class, an activation object for each step",
        "whole",
    ),
    (
        "rexwangcc/RNN-ToyNet",
        "c1670d2fc21d",
        "model.py",
        "binary addition, a class",
        "whole",
    ),
    (
        "usamahjundia/Numpy-NN",
        "69474ebeae4d",
        "Recurrent/rnn.py",
        "class, rows of an array",
        "whole",
    ),
    (
        "hernangm/ML_Abstracts",
        "59822d6464f5",
        "models/rnn_numpy/rnn_numpy_model.py",
        "class, characters; forward pass only",
        "whole",
    ),
    ("murchie85/rnn_vanilla", "1fbecd1ba4cf", "main.py", "a series, functions", "whole"),
    ("elizaluna007/AI_EC", "5a0ef4d035cc", "model/神经网络/RNN.py", "class, many-to-one", "whole"),
)
"""Repository, commit, file, what it is, and whether it was derived whole."""
TORCH = "no NumPy"
FRESH = (
    ("vzhou842/rnn-from-scratch", "68b10bb07c30", "rnn.py, main.py", "refused", "whole"),
    ("chriskverne/RNN-from-scratch", "79bf2be58adf", "main.py", "refused", "whole"),
    ("ky-xt/rnn-from-scratch", "0a396f4b1ad6", "rnn1.py", "lacks a file", "lacks a file"),
    ("wenj0r/NumPy-RNN", "271c07d571fe", "rnn.py", "refused", "refused"),
    ("aidoraide/numpy-rnn", "9b6c048b12b1", "train_rnn.py", "a gap", "whole"),
    ("kookie12/RNN-numpy", "6e830f4813c4", "RNN.py", "refused", "refused"),
    ("danilyef/RNN-Numpy", "9381b4340e5a", "model.py", "refused", "whole"),
    ("SONET12/RNN-from-scratch", "fc7809bea6b9", "RNN scratch.py", TORCH, TORCH),
    ("RihaChri/Simple-LSTM-from-scratch", "945064352e0e", "LSTM.py", "whole", "whole"),
    ("VahidNaghashi/LSTM-from-scratch", "6769c14b609f", "LSTM_char.py", "refused", "whole"),
    ("ambition1994/RNN-from-scratch", "5daffd68a1de", "model.py", TORCH, TORCH),
    ("AchrafBella/RNN-from-Scratch", "3eef38682a57", "RNN.py", "refused", "whole"),
    ("FonzieTree/RNN-From-Scratch", "3f83cb398ff5", "hello_rnn.py", "refused", "whole"),
    ("DamiPayne/RNN-from-scratch", "ab987b614ec4", "RNN.py", "whole", "whole"),
    ("zzyking/RNN-from-Scratch", "5b3040c0d39b", "name_gen.py", TORCH, TORCH),
    ("ozyurtf/rnn-from-scratch", "ab6c92b43886", "rnn.py", TORCH, TORCH),
    ("jiexunsee/Numpy-LSTM", "5f2bc1aae2b9", "numpylstm.py", "whole", "whole"),
    ("davidgonmar/rnn-numpy", "251f74d64a93", "rnn.py", "gaps", "whole"),
    ("codingowen/rnn-lstm-from-scratch", "695d83046436", "rnn_from_scratch.py", "whole", "whole"),
    ("mariam-gad232/RNN-from-scratch", "268fe5584f63", "RNN.py", TORCH, TORCH),
)
"""Repository, commit, file, and what came of it; the first ten are the first list."""
LATER = (
    ("Ayushhgit/char_rnn_numpy", "8905605e09ef", "rnn_scratch.py", "whole", "whole"),
    ("leoTiez/vanilla-RNN", "8aa1df5aea99", "Assignment4-default.py", "whole", "whole"),
    ("raphaelsenn/rnn-lstm-gru-numpy", "0b73b37a62f0", "nn_np/rnn_np.py", "an error", "whole"),
    ("Negar7878/Bidirectional-LSTM-From-Scratch", "c5f0e94271f0", "Codes/ECG_5_TimeSteps.ipynb", "refused", "whole"),
    ("NathanRobertPart/Numpy-LSTM", "73927dcac0f4", "lstm_layer.py, main.py", "cannot run", "cannot run"),
    ("nabeelshan78/vanilla-rnn-from-scratch", "01204eb1d136", "notebook.ipynb", "whole", "whole"),
    ("aratrika02/lstm-from-scratch", "ea82d21f3b8c", "LSTM_SGD_32_units.ipynb", "gaps", "whole"),
    ("gartland98/LSTM-from-scratch", "9024c85ebfec", "LSTM_scratch.py", "gaps", "whole"),
    ("AliNaeemCh/Digit-Recognizer-With-GRU-From-Scratch", "07d2c506edf1", "main.ipynb", "of a target", "whole"),
    (
        "hannaofficial/LSTM-from-scratch-with-adam-optimiser",
        "604e1179d50b",
        "LSTM_using_adam_optimiser.py",
        "whole",
        "whole",
    ),
    ("bionascu/char-vanilla-rnn", "9d1ee19c8de5", "rnn.py", "whole", "whole"),
    ("hrishikeshshekhar/Vanilla-RNN", "4b87eaffd60d", "rnn.py", "an error", "whole"),
    ("vohoaiviet/RNN-LSTM-numpy", "a06ce9428dfe", "SimpleRNN.py", "refused", "refused"),
    (
        "leburik12/TBPTT-Vanilla-RNN-with-Adagrad-Optimization",
        "932854ace7dd",
        "tbptt_vanilla_rnn….py",
        "whole",
        "whole",
    ),
    ("KhaledAlnobani/RNN-LSTM-from-scratch", "bde7cc0c6e06", "LSTM.ipynb", "refused", "whole"),
    ("K-I-D-1412/vanilla-rnn-textgen", "4714a9d21a36", "src/rnn.py", "whole", "whole"),
    ("nishank974/Vanilla-RNN", "11e68db58284", "rnn_q&a.py", "whole", "whole"),
    ("rmaahin/LSTM-from-scratch", "0240954ac870", "lstm_scratch.py", "refused", "whole"),
    (
        "MahmoudArafa99/LSTM-From-Scratch-Implementation",
        "92a7df5206ba",
        "lstm_numerical_example.ipynb",
        "of another",
        "of another",
    ),
    ("MarkusHohle/LSTM-from-Scratch", "4cf2a03eae63", "3 full backpropagation/LSTM.py", "refused", "whole"),
)
NEWEST = (
    ("androclassic/min-char-gru", "05ea16fb0e43", "gru_model.py, min-char-gru.py", "refused", "whole"),
    ("JoshuaBrockschmidt/simple-rnn", "1e7c3c0935a0", "rnn.py", "whole", "whole"),
    ("dcyoung/numpy-char-rnn", "0551cbfe33fa", "min-char-rnn.py", "whole", "whole"),
    ("satojkovic/SimpleRNN", "bc2551427041", "simple_rnn.py", "refused", "whole"),
    ("calvinfeng/recurrent-neural-net", "5bbefeb17b2a", "vanilla_rnn.py", "refused", "whole"),
    ("tinsaeabreham45/RNN_Numpy", "45b61feca056", "main.ipynb", "refused", "whole"),
    ("mqliang/rnn_python", "27c1e2d52514", "rnn_numpy.py", "refused", "whole"),
    ("SvshX/lstm-numpy", "28901c2e8a6a", "lstm.py", "whole", "whole"),
    ("Piyush3dB/lstm", "dd8a0d71b241", "lstm.py", "refused", "whole"),
    ("ShaShekhar/RNN", "850bdf27ccfc", "LSTM.py", "refused", "whole"),
    ("dillon-co/python_machine_learning", "fdaf558e771d", "numpy_lstm.py", "an error", "whole"),
    ("csarron/lstm_har", "4ecc94a0dbf7", "numpy_lstm.py", "refused", "refused"),
)
"""The same of the third list, and of the fourth, which is the last five."""
LAST = (
    ("pangolulu/rnn-from-scratch", "622c4238c810", "rnn.py, layer.py, …", "refused", "whole"),
    ("DoctorTeeth/gru", "6287d268038f", "gru.py", "whole", "whole"),
    ("DoctorTeeth/gru", "6287d268038f", "rnn.py", "whole", "whole"),
    ("ha5804/RNN_LSTM", "d972d1bd96f9", "lstm_basic_ex.ipynb", "whole", "whole"),
    ("sanskritiagr/RNN-Image-Captioning-from-Scratch", "749a15158e99", "cs231n/rnn_layers.py", "refused", "whole"),
    (
        "jorgezafra94/holbertonschool-machine_learning",
        "0a0bab0fb4c4",
        "supervised_learning/0x0D-RNNs/4-deep_rnn.py",
        "refused",
        "whole",
    ),
    (
        "kmerchan/holbertonschool-machine_learning",
        "69f52c2650be",
        "supervised_learning/0x0D-RNNs/7-bi_output.py",
        "no forward pass",
        "no forward pass",
    ),
    ("hiramekun/deep-learning-from-scratch-2", "fb594243a287", "common/time_layers.py", "refused", "whole"),
    ("arskvnc22/GRU-from-scratch", "4fc359b22d0e", "lstm.ipynb", TORCH, TORCH),
    (
        "Muhammad-Javed2005/rnn-basics-from-scratch",
        "12f0eea00764",
        "02_Forward_Backward_Pass_and_gradients.ipynb",
        "whole",
        "whole",
    ),
)
"""The same of ten that were listed before any of them was tried."""
AGAIN = (
    ("judgeofmyown/rnn_scratch", "e8d1d9725bbb", "main.py", "refused", "whole"),
    ("berat-arac/pure-numpy-deep-learning", "1cea9d896c5c", "src/puredl/text/language_model.py, …", "refused", "whole"),
    ("lanpay-lulu/lanpay-rnn-from-scratch", "672c5266a818", "rnn3.py, layer3.py, …", "refused", "refused"),
    ("inomata137/deep-learning-from-scratch-2", "2bb297171069", "ch05/simple_rnnlm.py, …", "refused", "whole"),
    ("AlamHasabie/rnn-from-scratch", "0821bb00d9d8", "model/rnn.py, model_test.py", "refused", "whole"),
    ("aaryan124/cnn-from-scratch", "cba5deb2dcf2", "RNN_scratch.ipynb", "whole", "whole"),
    ("aaryan124/cnn-from-scratch", "cba5deb2dcf2", "LSTM_scratch.ipynb", "refused", "refused"),
    ("barghavanii/RNN_repo", "e05aebd315a3", "GRU", "refused", "whole"),
    ("thsis/INFOSYS", "4f708b909831", "models/RNN-backprop.ipynb", "refused", "whole"),
    ("MuslimMujahid/LSTM-python", "cd615ddb5ec3", "LEMBUT/layers.py, main.py, …", "refused", "refused"),
)
"""Ten more."""
FURTHER = (
    ("8804who/paper_implementation", "879a1a4063cc", "models/GRU.ipynb", "cannot run", "cannot run"),
    ("8804who/paper_implementation", "879a1a4063cc", "models/LSTM.ipynb", "cannot run", "cannot run"),
    ("8804who/paper_implementation", "879a1a4063cc", "models/Seq2seq.py", "refused", "refused"),
    ("PythaGorilla/neural_network_on_zoo", "12841da439b7", "elman.py", "refused", "refused"),
    ("feifengwhu/RNN-ON-FPGA", "4f0d632fd0b1", "finalText/LSTMlayer.py", "refused", "refused"),
    ("deepanshugarg257/RNN-Counter", "0bb2bd0acd09", "counter/counter-rnn.py", "whole", "whole"),
    ("tongxueluo/a-simple-LSTM", "16e8bba5c943", "char_lstm.py", "a gap", "whole"),
    ("shijin1984/learn_rnn", "5c9e02e8fdf2", "elman.py", "refused", "whole"),
    ("haitt16/LSTM-numpy", "3c32cfa1a936", "lstm_numpy.py", "cannot run", "cannot run"),
    ("miyaniyaniya/BPTT_RNN_python", "cf0bc1217173", "rnn_bptt.py", "no NumPy", "no NumPy"),
)
"""Ten more, four of which have nothing to be derived."""
PUBLIC = """\
## What it does with programs of other people

Ten public forward passes, chosen before it was tried on them: where there was a backward part it was cut out, data were made small, and
where no loss was computed one was added. Whole: no line is left open, and every gradient agrees to 1e-9.

| repository | commit | file | what | |
|---|---|---|---|---|
{rows}

Of the twenty-three programs in as many styles that the tests hold all are derived whole, and so are eight larger programs with data of
their own whose backward part was cut out. Those eight had been written by hand in 13 to 30 statements; the derived ones have 1.1 to 1.8
times as many, with the lines that make again what the forward pass knew. Of fifteen of the public programs below the own backward part
could be counted as well: the derived ones have 0.7 to 1.7 times as many statements, nine of them no more than were there. (The updates of
the derived ones are not counted, and those inside a backward part that was written by hand are.)

Twenty files of strangers more, in two lists that were fixed before any of them was tried, the second after what the first showed was
mended; prepared like the ten above. What the first trial gave, and what it gives now:

| repository | commit | file | first trial | now |
|---|---|---|---|---|
{fresh}

Of the fourteen that are NumPy and can run, four were whole at the first trial and twelve are now. Left open: weights in a dictionary that a
loop over layers reads, and a network of which each step has an object of its own.

Two lists more, fixed and prepared in the same way: fifteen that were chosen next, and five when what these had shown was mended.

| repository | commit | file | first trial | now |
|---|---|---|---|---|
{later}

Of the fifteen one cannot run (its shapes do not fit); of the other fourteen six were whole at the first trial and thirteen are now. Of the
last five two were whole at first and four are. An error is one of our own, of a target means that the weights were not found and a target
was taken for one, of another that only one gate's function was derived. Left open: weights that are numbers in a list or single numbers
on an object.

Twelve more, listed before any was tried. Prepared like the others; one notebook had no loss at its first trial, by oversight.

| repository | commit | file | first trial | now |
|---|---|---|---|---|
{newest}

Three were whole at the first trial, eleven are now. Left open: a list of pieces that the layers overwrite.

The first ten and these twelve were fetched, prepared and run once more for the last columns; of the forty between them one was, that
with an activation object for each step.

Ten more, listed before any was tried.

| repository | commit | file | first trial | now |
|---|---|---|---|---|
{last}

One has no NumPy and one no forward pass. Of the other eight four were whole at the first trial and all are now.

Ten more, listed before any was tried, with programs of several files among them.

| repository | commit | file | first trial | now |
|---|---|---|---|---|
{again}

One was whole at the first trial, seven are now. Left open: gates that are objects of one class with unlike activations; a forward pass that
returns in its first round; a network whose every step draws weights of its own.

Ten more, listed before any was tried.

| repository | commit | file | first trial | now |
|---|---|---|---|---|
{further}

Three cannot run as they are (an unfinished function, names that are not there, shapes that do not fit), one has no NumPy. Of the other six
one was whole at the first trial, three are now. Left open: states that go through layers and steps in turn and that each call makes anew;
layers that are written over in place; a counter that the object itself keeps from call to call.

Of six further files, chosen by a rule and given as they are, none was derived: nothing runs them, and no made-up arguments fitted. Three
of them cannot run or are no network, in one the layers are objects. The other two, with a call of arrays added, are whole, one of them only
after states that an object holds were followed.
"""


def page() -> str:
    """The page's text."""
    derived = {name: _derived(PROGRAMS / name) for name in EXAMPLES}
    parts = [HEAD, *(_example(name, title, derived[name]) for name, title in EXAMPLES.items())]
    first = next(iter(EXAMPLES))
    return "\n".join([*parts, _lesson(first, derived[first]), _others()])


def _others() -> str:
    """The table of public programs."""
    rows = [
        f"| [{repository}](https://github.com/{repository}) | `{commit}` | `{file}` | {what} | {result} |"
        for repository, commit, file, what, result in PROGRAMS_OF_OTHERS
    ]
    return PUBLIC.format(
        rows="\n".join(rows),
        fresh=_tried(FRESH),
        later=_tried(LATER),
        newest=_tried(NEWEST),
        last=_tried(LAST),
        again=_tried(AGAIN),
        further=_tried(FURTHER),
    )


def _tried(some: Sequence[tuple[str, str, str, str, str]]) -> str:
    return "\n".join(
        f"| [{repository}](https://github.com/{repository}) | `{commit}` | `{file}` | {first} | {now} |"
        for repository, commit, file, first, now in some
    )


def _derived(path: Path) -> Derived:
    source = read_source(path)
    return derive(Runs(ProgramFile(path, source.text, source.cells), Wishes()), source)


def _example(name: str, title: str, derived: Derived) -> str:
    forward = (PROGRAMS / name).read_text("utf-8").rstrip()
    worst = max(derived.agreement.values(), default=0.0)
    said = f"Every gradient agrees with the loss carried back to {worst:.0e} of its norm."
    return f"## {title}\n\n```python\n{forward}\n```\n\n`rnn-tui derive {name}`:\n\n```python\n{derived.text()}```\n\n{said}\n"


def _lesson(name: str, derived: Derived) -> str:
    text = (PROGRAMS / name).read_text("utf-8")
    hints = "\n".join(f"$ rnn-tui derive {name} --hint {k}\n{hint(derived, text, k)}" for k in range(1, MOST + 1))
    return f"## As a lesson\n\n```\n$ rnn-tui derive {name} --outline\n{outline(derived, text)}\n{hints}```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
